"""What all tests rely on."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background: the commands under test inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
