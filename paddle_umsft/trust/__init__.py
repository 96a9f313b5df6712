"""How far a result is to be trusted, judged without the truth and alike for every method: `judge.py` is the way in."""
