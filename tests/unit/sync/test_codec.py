from __future__ import annotations

import io
import subprocess
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.sync.codec import CODECS, SAMPLE, chosen, encoder, is_dense

pieces = st.lists(
    st.tuples(
        st.one_of(st.binary(max_size=300), st.sampled_from([b"a" * 300_000, bytes(range(256)) * 700, b""])),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)
"""Content, whether it is to be left as it is, and whether an end comes behind it."""


def coded(name: str, content: list[tuple[bytes, bool, bool]]) -> bytes:
    coder = encoder(name)
    parts = []
    for data, raw, ends in content:
        parts.append(coder.write(data, raw=raw))
        if ends:
            parts.append(coder.end())
    return b"".join([*parts, coder.end()])


def gunzipped(stream: bytes) -> bytes:
    out = b""
    while stream:
        decoder = zlib.decompressobj(31)
        out += decoder.decompress(stream)
        assert decoder.eof
        stream = decoder.unused_data
    return out


@given(pieces)
def test_zstd_comes_back_from_the_module(content: list[tuple[bytes, bool, bool]]) -> None:
    stream = io.BytesIO(coded("zstd", content))
    with zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True) as reader:
        assert reader.read() == b"".join(data for data, _, _ in content)


@settings(max_examples=40, deadline=None)
@given(pieces)
def test_zstd_comes_back_from_the_program(content: list[tuple[bytes, bool, bool]]) -> None:
    # No stream is empty: there is always the record that ends it.
    stream = coded("zstd", [*content, (b"Z", False, True)])
    done = subprocess.run(["zstd", "-dcq"], input=stream, capture_output=True, check=True)
    assert done.stdout[:-1] == b"".join(data for data, _, _ in content)


@given(pieces)
def test_gzip_comes_back_from_zlib(content: list[tuple[bytes, bool, bool]]) -> None:
    assert gunzipped(coded("gzip", content)) == b"".join(data for data, _, _ in content)


@given(pieces)
def test_no_codec_is_the_content_itself(content: list[tuple[bytes, bool, bool]]) -> None:
    assert coded("none", content) == b"".join(data for data, _, _ in content)


@pytest.mark.parametrize("name", ["zstd", "gzip"])
def test_text_becomes_small_and_what_is_raw_hardly_grows(name: str) -> None:
    text = b"def train(model):\n" * 20_000
    assert len(coded(name, [(text, False, False)])) < len(text) / 20
    assert len(text) < len(coded(name, [(text, True, False)])) < len(text) * 1.001


@pytest.mark.parametrize("name", CODECS)
def test_what_was_ended_can_be_decoded_up_to_there(name: str) -> None:
    coder = encoder(name)
    first = coder.write(b"first") + coder.end()
    decode = {"zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data), "gzip": gunzipped}
    assert decode.get(name, bytes)(first) == b"first"


def test_content_is_dense_by_its_name_or_by_what_it_is() -> None:
    noise = zlib.compress(bytes(range(256)) * 1000) * 200
    assert is_dense(b"a/photo.JPG", SAMPLE, b"")
    assert is_dense(b"weights", SAMPLE, _noise())
    assert not is_dense(b"train.py", SAMPLE, b"x = 1\n" * 20_000)
    assert not is_dense(b"small.png", 100, noise[:100])
    assert not is_dense(b"folder.zip/notes", SAMPLE, b"x = 1\n" * 20_000)


def test_the_best_codec_of_the_host_is_taken() -> None:
    assert chosen(("gzip", "zstd")) == "zstd"
    assert chosen(("gzip",)) == "gzip"
    assert chosen(("lzma",)) == "none"


def _noise() -> bytes:
    import hashlib

    return b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(SAMPLE // 32))
