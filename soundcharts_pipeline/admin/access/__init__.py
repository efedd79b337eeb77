"""Who may ask, from where, and how often: tokens, sign-in, proxies, limits, security headers.

Knows no chart and no page: a handler asks `auth.py` (programs) or `login.py` (browsers) before it does anything. A
new limit or header for all answers belongs in `middleware.py`, one for a single route beside the route.
"""
