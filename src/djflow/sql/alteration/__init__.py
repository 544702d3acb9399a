"""What an alteration changes, whom it touches and the statements that do it. Pure: nothing does I/O."""
