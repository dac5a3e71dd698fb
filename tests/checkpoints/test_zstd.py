"""What a user loses when one of these fails: an OCDBT tree that is read wrong, and with it what lies in it."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.runtime.checkpoints.encodings.ocdbt_fields import crc32c
from pilotlight.runtime.checkpoints.encodings.zstd import decompress
from pilotlight.runtime.checkpoints.format import Damaged

FRAMES: dict[str, tuple[str, int, int]] = {
    "nothing": (
        "KLUv/SQAAQAAmenYUQ==",
        0,
        0,
    ),
    "bytes without order": (
        "KLUv/QRYYQkAmmaK0SY6Wk7FHRJ7kZFIsj/R11CGTE0v3yAxe/VF+HhSMmW0tDQWLfOclw7+IZVB6B+g+f8TY/BnhNoF7hwA"
        "8wGR8r+yj45bOh1K2DnRf2foEqAE75WPjKY3qckJQzhrCUS+Xdx7WWBNzxmUJB5b1xX2UgLQKOxz9072CzylL7VOvVAuJ6ir"
        "n3OrhvROMlP0gT5PMpYheB4T8XfBP4v/Phbk/e3ETcrRxsgp8TcXU3YYaClYWvAygzK601rItojk0NtShgqWOkBd643GdFJ9"
        "dlRaqRt7u/qWwAOXvxvG7scxDBfMszAHXlftFNwBu71L6a9gCV2P127r9R/ykpZ0+l6QVxf0Kl81msU6V2kbTIOeMV+cHAbV"
        "XA3DB+soJvAlcJYHVwO6kkYEN5jsDFUSTg==",
        300,
        2205052472,
    ),
    "one byte, many times": (
        "KLUv/QBoTAAACGEBAPz/ORACA2oIYQ==",
        200000,
        3764999067,
    ),
    "literals of four streams": (
        "KLUv/QRo3SAAil1AEBtQEJH5wKBFRaa/5/9u5wRV8Ho639SqqooVEQX7AP0A+ADT/noqi/hmBSN31I13b1wLtK1Gl13wmoGa"
        "6VYbC3VLFWFA8W3F+WRFmxOHDG7XanthD8wFeyp2+5LXYs88JoiRjzhJplGE/akg5pA079HNnMPMXaXcH1FjuStbJUU4Ve3U"
        "TaEuQCtxv91joxTiMs2TxynZQA+AMcBrMVJr1eYlmX3nZcMs4YTYxXmIdbgVmnJaF+qaqlg2Xjl07XbX8G1Ajrmo9YnuI14K"
        "AkHBH0FTH2t7qlMm8BegSMenHEXV2JpO6GTBWGhMDl556Spdg0zQEDqB63VLbyk83sWiSQMTrHsOnzVp8d9JqGHKdEwPgHCS"
        "VutrZxBmC7wOrgfeZkvmUrfR5eqFCffoanrAsLQYGJ32kioBPKxaCJiNtlp34m6qHF4UjvBT6ksSsd2mvohCfvhwJ6/JWf9B"
        "iqy2j4NbJ9d7K4oxHeBRv895ScoxWXB2g5DPpOGPF3Q1sbeVpyHuf6QovJRdccdLytXvKAvmTVSQIYcYAB6LczMmzRwzmSRi"
        "yEvMXKGVFGhjmKQ2hY2TXx/mCj6GDXC6zU1JxZx9CiUh9Cvf+xL4MLlDVZLFhHtiH+aJZLoVNtz2aHwoFjFJgMGj1koWrvfa"
        "Rk24BHyEjYyiuExFipZJdWJNB6lvMVvjd72FOodQFOTnQOdQF/c0+B2dLReK5RQ7ak85srWDSq8bUhWWFksPqhXvjzTVU6b0"
        "hdvFPOdnMOVph5orfLhISvZVfFWGy7NyL00M7BDJ7/I+G9+MRlvHcy/BzdUHM4ZJjj1qqgn8gsylI/+kHXIym5A9PAQBmYYW"
        "tOt2inxL09fIF3/4mA27Nq4FFhY7vPmmlD6O1rqEhSWYsX/ge2JCD3YoVYn3ymv5PiDR82j6BB2PlDIPhGRPaur86mZce6ws"
        "zMTLW+7gO7ryLAS1zDLFnKX2WouEOxqW3nYVBGZWtsgUh1bviD31/IdlEJ8aS6GEOVEtnL/Wjgp3fN6SSQAanR6BXMNSi7a2"
        "F5iS7xpPAW5p5zDirNO+yxh1MnESpMNpEcd+2RI7FGyc5P0syV04laZXhS/e5o9W/iZ0EFvV0mmAehgF77JVqrppDGpCyzq5"
        "wNJOO1YijISGkchiYk9+KSvQR1SFEGnx/sWw+8WooiKhTT0GktcN8rbefgO4qRPj9fOnpwMH8nW0Z5uaSZVqIQ0YOfzxkfXW"
        "zbpEmHUm7kkNkV9bCNY6CXOv3+gMtPEYAtMLpbeEIbw2JsgiFRO7BztmVdbTLEjthlsc3EkIPhFeROdrygQAqLwDqxFj58Oj"
        "FToxYQgP5MAYla1P2b/Yn3sgwkB+0IfND3uq6sWmL3dSDXeYsEOltU6wn2ACAQDtVAWLCtSvu9w=",
        1500,
        2455099047,
    ),
    "matches": (
        "KLUv/QRonSAApBDyayP2kVM3aqLoFHjwbX1MBfRUnozrpn0d7GtO+Frm2OYQ6mtE8UNt13NbAxuQ74sNw7IzXAH77p41h/4a"
        "Gu2SHVbfodovoG5sNKhlHz/OWXlh5w9KsYKcLo9aDZbdAEteEZ7gcYwKii2JQzuqZjLCcPfN4/BFlQbE8SmyY+v4dzilxvGh"
        "5vRUOdhkQeW9EPscoebv4mwHIdeh5jfOkcv0VIQlQdHr+EoZja0qtev4opp7N5Z8aEgeahLqQoYjidoh6/ih5hnGKTe/48r1"
        "MiOmoeb0VOv46/ih5uah5qHm6/ih5uv46/jr+KHmoeah5uv49FT0VOv45uv46/ih5vRU6/jm9FT0VIsNw4G8qAFLiSQpSaEw"
        "zAEhCMJgnBbZbfE0RCHdJOmVp90tU0GasJBoXS0liDCljEBcave/k8u/uKsxJ6yuSRSj1AJLhTNzgDA9pVYelOYzFGmShI3y"
        "MUXTETGppa6pFmg3exGyHiPy3AgMYJinhxocay5rogZO9aBBEsKb48uyDhTiuhK/wGXkuR4t3nM8Gr4ZsxYek1RKpctAaO6x"
        "tfItqGhFHV7Fs9VQFEV/GQKhhmaoCJwWiqAZgBf09TyEpRvDyQcjA5VUV5KD2P7GdvU1Onao+BIE9l5Q5cd6kfJ32sJ8MCRX"
        "bs3m4fP5wwIsm8pYTSu62vUxMiOBkJbUjFuakBaftgXTEgDYH79ceE3pnHujSik7iSYx4q0vaHiSdBaExhMwoedyNFvG6YLD"
        "SWjAHAAo1Jtv0iBCZibHopuGNCrgA7aFpJdiMkgiJTDSSVXFsbiqxXUNrIXCqisSCGQ8FQwim6UjjAtZw07aosFwmUwSOsRt"
        "fSIaZmH7XyboLXX89OhBGkjuKPipebu25vhklokdWvBS17LpbvYWE7vK3fbI6PqPcKEDY3vdJn+BJ1QgHwiFfHqMLZjWK+KF"
        "W1GVvdRg4g1PCE1OJ4GEfMWdVpnK2fSblDkgaJzoaMmGrapF4RB2ycxAhX/FY6YcnJFt0hm6ME3oEpLHNOuThpW9a0h6yvtq"
        "BAFWQAWs9yjckeNoA1x4ARS9YzW7m1gZwj5OjyINRY2dXtdz7hbPyOQLcVh4xMAEUouf9v6LtMnRRz61VHWzFIy3WSPSjrSJ"
        "WwsDFlAfaaGNw3R5ZNFmdcQPpGZF+bp47G/jCYtY0R5n2YCo1jGPI/iWk3GTIILCNEywW0guXEr2OrP5naWY6JijneM5AdeP"
        "P8HddWMTijzooPj+MhocIN4GSKMyCDa0GN0RWlkB3AhPIAxmXMg6Js9YDlxSBMaEZqmYKDbHPnrj/EZqMO4bHaiAYIu756JD"
        "bfwaPlABAW6Vcuvog1YmZQvPD04UOyjQ0xB4wTTZJ3i3M1jfjxhVYanLQRojtzo7",
        2792,
        1067502492,
    ),
    "json": (
        "KLUv/QSITQ8AVihSG2BNqjlTlFj3iaAFAQA86e7u3lKSBUVLgyAHAWAATAA9ABJyV7NWlagzFWlbst9o9I5mrCIRZyjCliSf"
        "weDdZldN9Mwit5P/8XdmVUQzIi35BoUJBzkg4BDhgYGDQYEAa1CIAYYAhwUGBRI4OEgwBDg8SIBAwQIEANFgIUKBBQcJAeT9"
        "xcXdmZlVGZHNmIi1RtpbWNhdmVVVEdVMiVRbZH1FRd2RGVUREc2QCLVE0lNQ0N2YTdUQzcyITDvk/MTE3ImZVAmRzIiItELK"
        "SwSXk5PP58GD39/b29fX09PPz8vL9/t8/v/Hx198scUWV1wxxRRPPLHEEjduzJjx8XHE8d2ZXdUR3cyJXHsBE04+2WSTSy6Z"
        "ZJJHHllkkStXpkx5eTnkkK9ft269enXq1KdPly69vZ2d/X6PHv34cePGixcnTnz4cOHCy4EsqBFgWb2x/wbhS80BESQIwX+P"
        "FJ4fssAGqAXoABugFqADNoBagA7YALUAOmAD1AJ0gA1QC9ABG0AtQAdsgFoAB3M1VIDjOB7HcRynqmXTNE3TNBXss67ruq7W"
        "xZBlWZbFsiziN6pKVVVVtYKn8zzP8zwHWg7HcRzH4VS1NE3TZJqmwj7ral3XdTW1ehY8LE3k0kSW3lgNq6uaAv4qICtcNA==",
        8330,
        2358662206,
    ),
    "fast": (
        "KLUv/QRI5Q4A9BZ7ImxheWVyMC93ZWlnaHQiOiB7InNoYXBlIjogWzAsIDMyXSwgImR0eXBlIjogIjxmNCJ9LCAxL3cxLCAy"
        "L3cyLCAzL3czLCA0L3c0LCA1L3c1LCA2L3c2LCA3L3c3LCA4L3c4LCA5L3c5LCAxMTExMTExMTExMTExMTExMTEyMC8yMCwy"
        "MS8yMSwyMi8yMiwyMy8yMywyNC8yNCwyNS8yNSwyNi8yNiwyNy8yNywyOC8yOCwyOS8yOSwzMC8zMCwzMS8zMSwzMi8zMiwz"
        "My8zMywzNC8zNCwzNS8zNSwzNi8zNiwzNy8zNywzOC8zOCwzOS8zOSw0MC80MCw0MS80MSw0Mi80Miw0My80Myw0NC80NCw0"
        "NS80NSw0Ni80Niw0Ny80Nyw0OC80OCw0OS80OSw1MC81MCw1MS81MSw1Mi81Miw1My81Myw1NC81NCw1NS81NSw1Ni81Niw1"
        "Ny81Nyw1OC81OCw1OS81OSx9d6ghKAG//2+wM4oHESgEv0YljAhjcvDGfvKf9qP1bD3ZT/bRfrSerSf7yT7ajz5FvCj4nxhp"
        "omEJ/iT2jihRBHmIvSD6/ADdw2KHPjnw3zBSQ8Nm4AcwDORCixZy3pgyWTJjcmJy7GEYsFU54jOG",
        3280,
        2244947344,
    ),
}
"""Frames that the `zstd` command (1.5) wrote, in base 64; length and CRC-32 of what went in."""


@pytest.mark.parametrize("name", FRAMES)
def test_frames_of_the_reference_are_read_as_they_were_written(name: str) -> None:
    frame, length, crc = FRAMES[name]
    found = decompress(base64.b64decode(frame), 1 << 20)
    assert (len(found), zlib.crc32(found)) == (length, crc)


@given(name=st.sampled_from(sorted(FRAMES)), position=st.integers(0), bit=st.integers(0, 7), cut=st.integers(0, 40))
def test_a_damaged_frame_is_damaged_or_read_and_never_a_crash(name: str, position: int, bit: int, cut: int) -> None:
    frame = bytearray(base64.b64decode(FRAMES[name][0]))
    frame[position % len(frame)] ^= 1 << bit
    try:
        assert len(decompress(bytes(frame[: len(frame) - cut]), 1 << 16)) <= 1 << 16
    except Damaged as damage:
        assert str(damage)


def test_a_frame_that_holds_more_than_may_be_held_is_refused() -> None:
    with pytest.raises(Damaged, match="more than 1000"):
        decompress(base64.b64decode(FRAMES["one byte, many times"][0]), 1000)


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283
