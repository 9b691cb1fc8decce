"""Fields: functions of space whose zero level set is a surface."""
