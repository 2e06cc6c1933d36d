"""How long an event takes until an answer shows it, measured all the time: by members who are nobody (`events.is_probe`)."""
