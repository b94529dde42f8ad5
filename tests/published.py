"""Known answers that others have published, each with where it stands; both sides are held to them.

SM2: GB/T 32918.5-2017, annex A (signature) and annex C (encryption, in the order C1 C3 C2).
SM3: GB/T 32905-2016, annex A.   SM4: GB/T 32907-2016, annex A.
SM4 in ECB with other keys: draft-ribose-cfrg-sm4-10, appendix A.2.1.   AEAD: RFC 8998, appendix A.
RSA: pay.weixin.qq.com/doc/v3/merchant/4012365336 and its neighbours on requests, /4012365341 on the
pay sheet (the documentation's sample merchant, whose key is published there too; these signatures
are deterministic).

Not here, because no public source lets them be checked: the documentation's examples of a signed
answer (one leaves out the ciphertext it signs; the other, 4013053249, does not verify with the key
printed beside it), and its request with a query string (4012365337), which does not either.
Compared with the tests of several independent implementations, 2026-11.
"""

import base64


class Sm2:
    """The key pair of GB/T 32918.5 and what it makes."""

    PRIVATE = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    X = 0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
    Y = 0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13
    CHANCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    USER_ID = b"1234567812345678"
    MESSAGE = b"message digest"
    ZA = 0xB2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3
    DIGEST = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
    R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
    S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
    PLAIN = b"encryption standard"
    C1_X = 0x04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73
    C1_Y = 0xE858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0
    C3 = bytes.fromhex("59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766")
    C2 = bytes.fromhex("21886ca989ca9c7d58087307ca93092d651efa")


SM3 = (
    (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
)

SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
SM4_OTHER_KEY = bytes.fromhex("fedcba98765432100123456789abcdef")
# Key, text, sealed text; the text of the standard is its key.
SM4_BLOCKS = (
    (SM4_KEY, SM4_KEY.hex(), "681edf34d206965e86b3e94f536e4246"),
    (
        SM4_KEY,
        "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffaaaaaaaabbbbbbbb",
        "5ec8143de509cff7b5179f8f474b86192f1d305a7fb17df985f81c8482192304",
    ),
    (
        SM4_OTHER_KEY,
        "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffaaaaaaaabbbbbbbb",
        "c5876897e4a59bbba72a10c83872245b12dd90bc2d200692b529a4155ac9e600",
    ),
)
SM4_ROUNDS = 1_000_000
SM4_AFTER_ROUNDS = "595298c7c6fd271f0402f804c33d3f66"

AEAD_NONCE = bytes.fromhex("00001234567800000000abcd")
AEAD_ASSOCIATED = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
AEAD_PLAIN = b"".join(bytes([each]) * 8 for each in b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa")
GCM_SEALED = bytes.fromhex(
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
)
GCM_TAG = bytes.fromhex("83de3541e4c2b58177e065a9bf7b62ec")
CCM_SEALED = bytes.fromhex(
    "48af93501fa62adbcd414cce6034d895dda1bf8f132f042098661572e7483094"
    "fd12e518ce062c98acee28d95df4416bed31a2f04476c18bb40c84a74b97dc5b"
)
CCM_TAG = bytes.fromhex("16842d4fa186f56ab33256971fa110f4")

SAMPLE_PUBLIC_PEM = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAptpm+qvIDCh/9wjU26SQ
CK26ogYkBhDrYxnAaw2JbbBsp1oDbHKk+1r381NeBUG2HEFAuU+Fr72u5ot3yKdz
oF/FajAzQNKnm569/D3upKoi8mYBaST15Uig8j8qoUW1U217LL0jEHlSnHV3lcaD
TXqDpTRR4Bfz9IqOgJgFZ8/oTfEomSrjrLYef81Eyxr7ZIMQXEKKEK7V4UXKS0+/
fDsiG/cXidhzt8UbTL9vqXqxM2+IDImyO+FAc/tkBG55LmzxPto1Nq0WbnZzRM/w
Tzrd0I/8NlevxtFbphg4evlHjFNI7+GrqR87ViEwuAJJ9Je5QQjct5YJfFRWiZ5C
MQIDAQAB
-----END PUBLIC KEY-----
"""
SAMPLE_AT_S = 1_554_208_460
SAMPLE_NONCE = "593BEC0C930BF1AFEB40B4A08C8FB242"
SAMPLE_BODY = (
    '{"appid":"wxd678efh567hg6787","mchid":"1900007291","description":"Image形象店-深圳腾大-QQ公仔",'
    '"out_trade_no":"1217752501201407033233368018",'
    '"notify_url":"https://www.weixin.qq.com/wxpay/pay.php",'
    '"amount":{"total":100,"currency":"CNY"},'
    '"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}'
)
# Method, target, body, signature; of a request with a body, and of one with a number in its path.
SAMPLE_REQUESTS = (
    (
        "POST",
        "/v3/pay/transactions/jsapi",
        SAMPLE_BODY.encode(),
        base64.b64decode(
            "jnks4dlrPw3ZX+ozVvSK39oa0t7OMBsg83BHAwd8BRdUFiVaQNTLTvci+wURgP1OQBbKYhFGvt7iqYpDSTQk"
            "p7Uq1sltaQKyncCyrA1g88m5bsKERQfPyT0ahSwKTYJ1CAn9QiJuSJRq1QsQs07eehbU/k9BCS51jTyc1Jps"
            "i2H77HF9f/BnjXAOP3/sPObg6V5Ee4EzwLox684hhuMuIwHo7D8KFk3LIHOKDcNI4It1aCXydFWNpNK+SG86"
            "VUDe5kwoDpw4Ulqfu9z8OFDGbDs9TCxEv8iqQzbpxOlEVoOe2kalSYM5kApQb3nZcxdUtoE0liJGW3RGUNE0"
            "t4v01A=="
        ),
    ),
    (
        "GET",
        "/v3/refund/domestic/refunds/123123123123",
        b"",
        base64.b64decode(
            "Lc9VXxmeonkdV8Xk9tmigQFLhl0vRWTerdmoRu01aAnYwIrD/5nsSwE1WlmZGLRlAFTNQ3QsMa0+VRDlJp1W"
            "p5p0nO8EK68b5sJBbjouxaFciIfq1zfDWWz+jqhcMoKXI1A6dPm1AW7D4d30WsMTNzp6g23OXakIsh9LO3lU"
            "mwvTuE0BY8ncf6tNGk4wKmvXwERd/ZpoQY3MAVKz+Nakwc+2XBmzT66KcUehU5kr4IvGa/lEU5RZb/q00zP9"
            "VLdBhC/jQSX3X1UcJLCtEc4gTmib4tnmAT+bHF/e17ZAuxDNcx6rqT8gNEXqaJGG+1OflMSTU2tpyG65G4dM"
            "KdFcoA=="
        ),
    ),
)
SAMPLE_APPID = "wx2421b1c4370ec43b"
SAMPLE_PACKAGE = "prepay_id=wx201410272009395522657a690389285100"
SAMPLE_PAY_SIGN = base64.b64decode(
    "mI35pfNEQV6777ke/1T+LJLQDNTm7yeoUJH+j/adPGhmCCi0PbgkvYQTRcXH0uibcLVtvFLdGLpmoYO9FV6lBBsTAjuh"
    "h5YOvQi0e2g3e0yytitiNET9FEuqM0pjnKfRW4K6LIZDdbWJv9KhZUx3DrJa5TL7OJ7VdADVivxVySIlPVKjGwuCXzuX"
    "SJes0UcILgWQUMyha5/3nYofuHtS7r+KYyMuxD+oJ9VM1Qdxk4UIG59CP5Y3wtYIFybyF3bdu1caHTRRX+DLyMXyYA/I"
    "rTmiW01c4RPjpHBX5Dk1sZyY1zVsWNsvMHr2e1NTWtBxKJ+qk5N61J7caYoepHFaxw=="
)
