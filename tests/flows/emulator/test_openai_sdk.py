"""The openai SDK, unmodified, against every address of the data planes."""

from __future__ import annotations

import json

import openai
import pytest
from openai import AzureOpenAI, OpenAI


@pytest.fixture(params=["/openai/v1", "/v1"])
def client(workshop, request) -> OpenAI:
    return workshop.client(request.param)


@pytest.fixture
def dated(workshop) -> AzureOpenAI:
    return workshop.keep(
        AzureOpenAI(
            azure_endpoint=workshop.url,
            api_key="embedded-api-key",
            api_version="2024-10-21",
            max_retries=0,
        )
    )


def test_files_come_back_byte_for_byte(workshop, client) -> None:
    data = "\ufeff".encode() + b'{"a": "\xc3\xa9"}\r\n--boundary?\r\n\r\n' + bytes(range(256))
    made = client.files.create(file=("odd name.jsonl", data), purpose="batch")
    assert (made.filename, made.bytes, made.purpose) == ("odd name.jsonl", len(data), "batch")
    assert client.files.content(made.id).content == data
    assert [one.id for one in client.files.list()] == [made.id]
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_an_azure_file_is_pending_before_it_can_be_used(workshop) -> None:
    workshop.emulator.set(file_processing_s=60)
    client = workshop.client()
    made = client.files.create(file=("t.jsonl", workshop.training_lines()), purpose="fine-tune")
    assert made.status == "pending"
    with pytest.raises(openai.BadRequestError, match="processed"):
        client.fine_tuning.jobs.create(model="gpt-4.1-mini", training_file=made.id)
    workshop.emulator.clock.advance(61)
    assert client.files.retrieve(made.id).status == "processed"


def test_a_job_is_followed_by_events_and_checkpoints(workshop, client) -> None:
    model = workshop.fine_tune(client, hyperparameters={"n_epochs": 4, "batch_size": 6})
    job = next(iter(client.fine_tuning.jobs.list(limit=1)))
    assert (job.fine_tuned_model, job.seed, job.hyperparameters.n_epochs) == (model, 7, 4)
    messages = [one.message for one in client.fine_tuning.jobs.list_events(job.id, limit=2)]
    assert messages[0] == "The job has successfully completed"
    assert messages[-1].startswith("Created fine-tuning job")
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert [one.step_number for one in checkpoints] == [8, 6, 4]
    assert checkpoints[0].fine_tuned_model_checkpoint == model
    assert checkpoints[1].fine_tuned_model_checkpoint == f"{model}:ckpt-step-6"
    assert job.result_files
    assert client.files.content(job.result_files[0]).text.startswith("step,train_loss")


def test_checkpoints_answer_as_themselves(workshop) -> None:
    client = workshop.client("/v1")
    model = workshop.fine_tune(client)
    job = client.fine_tuning.jobs.list().data[0].id
    earlier = list(client.fine_tuning.jobs.checkpoints.list(job))[1].fine_tuned_model_checkpoint
    answer = client.chat.completions.create(
        model=earlier, messages=[{"role": "user", "content": "hi"}]
    )
    assert answer.model == earlier != model


def test_an_azure_checkpoint_is_deployed_by_its_id(workshop) -> None:
    client, plane = workshop.client(), workshop.plane()
    workshop.fine_tune(client)
    job = client.fine_tuning.jobs.list().data[0].id
    earlier = list(client.fine_tuning.jobs.checkpoints.list(job))[1]
    assert earlier.id.startswith("ftchkpt-")
    assert plane.put("cand", earlier.id, version="1").status_code == 201
    assert workshop.ask("cand").json()["model"] == earlier.fine_tuned_model_checkpoint
    assert plane.put("other", earlier.fine_tuned_model_checkpoint).status_code == 400


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"messages": []}\n' * 10, "line 1"),
        (
            b'{"messages": [{"role": "user", "content": "only a question"}]}\n' * 12,
            "from the assistant",
        ),
        (b"{broken\n" * 12, "not valid JSON"),
        (b"", "9 example"),
    ],
)
def test_a_job_with_a_bad_file_fails_and_says_why(workshop, client, data, words) -> None:
    nine = b"\n".join(workshop.training_lines().splitlines()[:9])
    job = workshop.start_job(client, data or nine)
    workshop.wait_until(lambda: client.fine_tuning.jobs.retrieve(job).status == "failed")
    error = client.fine_tuning.jobs.retrieve(job).error
    assert error.code == "invalid_training_file"
    assert words in error.message
    assert client.fine_tuning.jobs.retrieve(job).fine_tuned_model is None


def test_a_file_with_a_byte_order_mark_is_fine(workshop, client) -> None:
    assert workshop.fine_tune(client, b"\xef\xbb\xbf" + workshop.training_lines())


def test_jobs_are_cancelled_paused_and_resumed(workshop, client) -> None:
    workshop.emulator.set(running_s=3600)
    job = workshop.start_job(client)
    workshop.wait_until(lambda: client.fine_tuning.jobs.retrieve(job).status == "running")
    assert client.fine_tuning.jobs.pause(job).status == "paused"
    assert client.fine_tuning.jobs.resume(job).status == "running"
    assert client.fine_tuning.jobs.cancel(job).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.fine_tuning.jobs.cancel(job)


def test_what_a_job_asks_for_is_checked(workshop, client) -> None:
    file = client.files.create(file=("t.jsonl", workshop.training_lines()), purpose="fine-tune").id
    create = client.fine_tuning.jobs.create
    for wrong in (
        {"model": "gpt-2"},
        {"suffix": "with.dot"},
        {"seed": -1},
        {"hyperparameters": {"n_epochs": 51}},
        {"method": {"type": "reinforcement"}},
        {"metadata": {str(n): "x" for n in range(17)}},
    ):
        with pytest.raises(openai.BadRequestError):
            create(**{"model": "gpt-4.1-mini", "training_file": file, **wrong})
    with pytest.raises(openai.NotFoundError):
        create(model="gpt-4.1-mini", training_file="file-none")


def test_a_deployed_model_is_not_deleted(workshop) -> None:
    client, model = workshop.client(), workshop.tuned()
    assert model in [one.id for one in client.models.list()]
    workshop.plane().put("cand", model)
    with pytest.raises(openai.ConflictError):
        client.models.delete(model)
    workshop.plane().delete("cand")
    assert client.models.delete(model).deleted


def test_openai_models_have_a_shutdown_date(workshop) -> None:
    shown = workshop.client("/v1").models.retrieve("gpt-4.1-mini").to_dict()
    assert shown["shutdown_date"] == "2099-10-14"


def test_the_dated_client_works_unmodified(workshop, dated) -> None:
    model = workshop.fine_tune(dated)
    workshop.plane().put("cand", model)
    messages = [{"role": "user", "content": "the app crashes"}]
    assert dated.chat.completions.create(model="cand", messages=messages).model == model
    assert dated.responses.create(model="cand", input="the app crashes").output_text
    with pytest.raises(openai.NotFoundError) as error:
        dated.chat.completions.create(model="nothing", messages=messages)
    assert error.value.code == "DeploymentNotFound"


def test_chat_completions_count_tokens_and_cut_and_repeat(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())
    client = workshop.client()
    messages = [{"role": "user", "content": "the app crashes"}]
    full = client.chat.completions.create(
        model="cand", messages=messages, n=2, logprobs=True, top_logprobs=1
    )
    assert set(json.loads(full.choices[0].message.content)) == {"urgency", "category"}
    assert full.usage.total_tokens == full.usage.prompt_tokens + full.usage.completion_tokens > 0
    assert len(full.choices) == 2
    assert full.choices[0].logprobs.content[0].logprob <= 0
    cut = client.chat.completions.create(model="cand", messages=messages, max_completion_tokens=2)
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 2)


def test_chat_completions_can_be_streamed(workshop) -> None:
    workshop.plane().put("cand", workshop.tuned())
    messages = [{"role": "user", "content": "the app crashes"}]
    wish = {"model": "cand", "messages": messages}
    whole = workshop.client().chat.completions.create(**wish)
    stream = workshop.client().chat.completions.create(
        **wish, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_responses_follow_one_another(workshop, client) -> None:
    model = "gpt-4.1-mini"
    if "openai/v1" in str(client.base_url):
        workshop.plane().put("gpt-4.1-mini", model, "GlobalStandard")
    first = client.responses.create(model=model, instructions="Be kind.", input="hello")
    second = client.responses.create(model=model, input="and?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert client.responses.retrieve(first.id).output_text == first.output_text
    short = client.responses.create(model=model, input="hello", max_output_tokens=16)
    assert (short.status, short.incomplete_details.reason) == ("incomplete", "max_output_tokens")
