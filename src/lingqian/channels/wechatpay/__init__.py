"""WeChat Pay, APIv3, spoken by our own code (微信支付)."""
