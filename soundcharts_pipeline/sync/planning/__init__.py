"""What a sync would cost, counted before it is asked: calls by asset, against the quota and the minute.

`plan.py` goes through the cascade, `forecast.py` counts each asset by the worklists that a sync itself would take,
and guesses only what is not stored yet (`guessed_rankings.py`, `credit_names.py`); `sentences.py` says it. Makes no
call and saves nothing. An asset that costs calls has to be counted here.
"""
