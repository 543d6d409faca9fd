"""Statements about promotions: in the agreed shape, signed, and contradicted by any change of what they speak of."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import create_engine, text
from support import file_platform

from evals.errors import CredentialError
from flows.release.signing import envelope, opened, signature_problems, signing_key, verifying_key
from flows.release.statement import check_statement, statement

TARGET = "triage"


@pytest.fixture
def key(monkeypatch):
    key = Ed25519PrivateKey.generate()
    raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", base64.b64encode(raw).decode())
    return key


@pytest.fixture
async def proved(key, world):
    """v1 went live, and its statement is signed."""
    assert (await world.promote("r1", "v1")).state == "live"
    return world


def problems(world):
    return check_statement(world.registry, world.registry.live(TARGET), verifying_key())


async def test_a_promotion_leaves_a_signed_statement_that_holds(proved, key):
    wrapped = proved.registry.statement("r1")
    assert wrapped["payloadType"] == "application/vnd.in-toto+json"
    assert signature_problems(wrapped, key.public_key()) == []
    assert problems(proved) == ()


async def test_the_statement_has_the_shape_of_a_verification_summary(proved):
    told = opened(proved.registry.statement("r1"))
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://slsa.dev/verification_summary/v1"
    (subject,) = told["subject"]
    assert subject["name"] == "triage@1"
    assert len(subject["digest"]["sha256"]) == 64
    predicate = told["predicate"]
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["policy"]["digest"] == {"sha256": "policy"}
    assert predicate["inputAttestations"][0]["digest"] == {"sha256": "evidence-v1-None"}
    assert predicate["timeVerified"] == proved.registry.live(TARGET).since
    assert predicate["verifier"]["version"]["gatewright"]
    assert predicate["gatewright"]["chain"]["hash"] == proved.registry.history(TARGET)[0].hash


async def test_the_signature_is_over_the_dsse_encoding(proved, key):
    wrapped = proved.registry.statement("r1")
    body = base64.b64decode(wrapped["payload"])
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(body), body)
    key.public_key().verify(base64.b64decode(wrapped["signatures"][0]["sig"]), signed)


async def test_without_a_key_the_statement_is_there_and_not_signed(world, key, monkeypatch):
    monkeypatch.delenv("GATEWRIGHT_SIGNING_KEY")
    await world.promote("r1", "v1")
    pointer = world.registry.live(TARGET)
    assert check_statement(world.registry, pointer, None) == ()
    assert check_statement(world.registry, pointer, key.public_key()) == (
        "the statement is not signed",
    )


async def test_an_override_is_not_told_as_passed(world):
    world.judge("r1", "v1", "FAIL")
    from flows.registry.records import Binding

    for person in ("ana", "ben"):
        world.registry.answer(
            "r1",
            "override",
            actor=person,
            reason="known",
            binding=Binding.of(world.registry.verdict("r1")),
        )
    assert (await world.promote("r1", "v1")).state == "live"
    predicate = opened(world.registry.statement("r1"))["predicate"]
    assert predicate["verificationResult"] == "FAILED"
    assert [a["actor"] for a in predicate["gatewright"]["answers"]] == ["ana", "ben"]


async def test_a_statement_signed_by_another_key_is_found(proved):
    other = Ed25519PrivateKey.generate().public_key()
    (problem,) = check_statement(proved.registry, proved.registry.live(TARGET), other)
    assert "signature is not by sha256:" in problem


async def test_a_statement_whose_body_was_changed_is_found(proved):
    wrapped = proved.registry.statement("r1")
    told = opened(wrapped)
    told["predicate"]["verificationResult"] = "FAILED"
    forged = {**wrapped, "payload": base64.b64encode(json.dumps(told).encode()).decode()}
    assert signature_problems(forged, verifying_key())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "UPDATE verdicts SET record = replace(record, 'sha256:policy', 'sha256:laxer')",
            "policy",
        ),
        (
            "UPDATE verdicts SET record = replace(record, 'evidence-v1', 'evidence-v0')",
            "inputAttestations",
        ),
        ("UPDATE pointers SET pointer = replace(pointer, '127.0.0.1', '127.0.0.2')", "subject"),
    ],
)
async def test_a_registry_that_says_something_else_by_now_contradicts_it(proved, change, said):
    engine = create_engine(f"sqlite:///{proved.folder}/registry.db")
    with engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()
    assert any(said in problem for problem in problems(proved))


async def test_a_pointer_without_a_statement_is_named(world):
    await world.promote("r1", "v1")
    world.publishers.append(file_platform.BrokenPublisher(refuses={"v2"}))
    await world.promote("r2", "v2")
    assert problems(world) == ("generation 3 of triage has no statement",)


@pytest.mark.parametrize("value", ["nonsense", "AAAA", "-----BEGIN PRIVATE KEY-----\nx"])
async def test_an_unusable_key_stops_the_promotion_before_anything_is_done(
    world, monkeypatch, value
):
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", value)
    with pytest.raises(CredentialError) as caught:
        await world.promote("r1", "v1")
    assert caught.value.problems[0].where == "GATEWRIGHT_SIGNING_KEY"
    assert value not in str(caught.value)
    assert world.platform.log == []


def test_keys_are_read_as_pem_too_and_only_ed25519_is_one(monkeypatch, key):
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", pem)
    assert signature_problems(envelope({"a": 1}, signing_key()), key.public_key()) == []
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    monkeypatch.setenv("GATEWRIGHT_SIGNING_KEY", pem)
    with pytest.raises(CredentialError):
        signing_key()


async def test_a_statement_can_be_made_of_what_was_adopted(world):
    pointer = world.registry.switch(
        file_platform.NewPointer(
            target=TARGET,
            model_id="x",
            platform="embedded",
            endpoint=world.platform.connect("x", "x", "production").endpoint,
        ),
        expected_generation=0,
        actor="ana",
        reason="runs already",
        kind="adopt",
    )
    predicate = statement(world.registry, pointer)["predicate"]
    assert predicate["verificationResult"] == "FAILED"
    assert predicate["verifiedLevels"] == ["GATEWRIGHT_UNJUDGED"]
