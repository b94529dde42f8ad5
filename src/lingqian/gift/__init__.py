"""Gifts: what coins buy for a streamer, who gets which share of their price, and when (礼物)."""
