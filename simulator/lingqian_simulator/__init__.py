"""A WeChat Pay APIv3 server to develop and test against (微信支付模拟器).

It speaks HTTP only: it imports nothing of the wallet, and the wallet imports nothing of it, so that
a mistake in either is seen by the other.
"""
