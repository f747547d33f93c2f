"""Signatures of requests, against the vectors that their inventors publish."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.providers.signing_aliyun import AliyunAccess, authorization, form_of, signed_call
from orchestrator.channels.providers.signing_aws import AwsAccess, signed_headers

AWS = AwsAccess("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service")
AWS_AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
LETTERS = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUNCTUATION = '/,?><`";:\\|][{}'
FORM = {"content-type": "application/x-www-form-urlencoded"}
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUu"
    "wthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQc"
    "HNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/o"
    "LxBA=="
)


@pytest.mark.parametrize(
    ("name", "method", "target", "headers", "body", "signature"),
    [
        (
            "get-header-value-order",
            "GET",
            "/",
            {"my-header1": "value4,value1,value3,value2"},
            b"",
            "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
        ),
        (
            "get-header-value-trim",
            "GET",
            "/",
            {"My-Header1": " value1", "My-Header2": ' "a   b   c"'},
            b"",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "get-unreserved",
            "GET",
            f"/{LETTERS}",
            {},
            b"",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        ("get-utf8", "GET", "/ሴ", {}, b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        ("get-vanilla", "GET", "/", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/?Param2=value2&Param1=value1",
            {},
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-query-unreserved",
            "GET",
            f"/?{LETTERS}={LETTERS}",
            {},
            b"",
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        ),
        (
            "get-vanilla-utf8-query",
            "GET",
            "/?ሴ=bar",
            {},
            b"",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        ("post-vanilla", "POST", "/", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "post-header-value-case",
            "POST",
            "/",
            {"My-Header1": "VALUE1"},
            b"",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
        (
            "post-sts-header-before",
            "POST",
            "/",
            {"X-Amz-Security-Token": TOKEN},
            b"",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
        (
            "post-vanilla-query",
            "POST",
            "/?Param1=value1",
            {},
            b"",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
        (
            "post-vanilla-query-nonunreserved",
            "POST",
            f"/?{quote('@#$%^')}=&{quote('+')}={quote(PUNCTUATION, safe='')}",
            {},
            b"",
            "66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e",
        ),
        (
            "post-x-www-form-urlencoded",
            "POST",
            "/",
            FORM,
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "post-x-www-form-urlencoded-parameters",
            "POST",
            "/",
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf8"},
            b"Param1=value1",
            "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
        ),
    ],
)
def test_amazons_own_suite(
    name: str, method: str, target: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    signed = signed_headers(AWS, method, f"https://example.amazonaws.com{target}", headers, body, AWS_AT)
    names = ";".join(sorted(["host", "x-amz-date", *(header.lower() for header in headers)]))
    assert signed["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    ), name


def test_alibabas_own_example() -> None:
    access = AliyunAccess("YourAccessKeyId", "YourAccessKeySecret")
    image = "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-version": "2014-05-26",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-content-sha256": sha256(b"").hexdigest(),
    }
    query = form_of({"RegionId": "cn-shanghai", "ImageId": image})
    assert query == f"ImageId={image}&RegionId=cn-shanghai"
    assert authorization(access, "POST", "/", query, headers) == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_a_call_is_signed_as_it_is_sent() -> None:
    access = AliyunAccess("id", "secret")
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    call = signed_call(access, "https://dm.aliyuncs.com", "Do", "2015-11-23", {"b": "1 +", "a": "您"}, at=at, nonce="n")
    assert (call.method, call.url, call.body) == ("POST", "https://dm.aliyuncs.com/", b"a=%E6%82%A8&b=1%20%2B")
    assert call.headers["x-acs-date"] == "2026-03-02T10:00:00Z"
    assert call.headers["x-acs-content-sha256"] == sha256(call.body or b"").hexdigest()
    unsigned = {name: value for name, value in call.headers.items() if name != "authorization"}
    assert call.headers["authorization"] == authorization(access, "POST", "/", "", unsigned)
    again = signed_call(access, "https://dm.aliyuncs.com", "Do", "2015-11-23", {})
    other = signed_call(access, "https://dm.aliyuncs.com", "Do", "2015-11-23", {})
    assert again.headers["x-acs-signature-nonce"] != other.headers["x-acs-signature-nonce"]


@given(st.dictionaries(st.text("abcXYZ", min_size=1, max_size=5), st.text(max_size=20), max_size=5))
def test_a_form_is_read_as_it_was_written(params: dict[str, str]) -> None:
    found = parse_qs(form_of(params), keep_blank_values=True)
    assert {name: values[0] for name, values in found.items()} == {
        name: value.encode("utf-8", "replace").decode() for name, value in params.items()
    }


def test_no_secret_is_shown() -> None:
    assert "EXAMPLEKEY" not in repr(AWS)
    assert "secret" not in repr(AliyunAccess("id", "secret"))
