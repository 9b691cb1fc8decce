"""What each verb can be told: one frozen dataclass per verb; the text under a field is its help on the command line."""
