from typing import cast

import pytest
from google.protobuf.duration_pb2 import Duration

from triscribe.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError, ServerError
from triscribe.gateway.grpc import fields as proto_fields
from triscribe.gateway.grpc.fields import proto_field
from triscribe.gateway.grpc.requests import live_request, recognition_request
from triscribe.service.catalogue import Catalogue, ServedModel
from triscribe.service.requests import checked, checked_live
from triscribe.v1 import speech_pb2 as pb

CATALOGUE = Catalogue(
    {
        "base": ServedModel("base", frozenset({"en", "de", "jw"}), ("transcribe", "translate")),
        "tiny.en": ServedModel("tiny.en", frozenset({"en"}), ("transcribe", "translate")),
    },
    ("en",),
)
PCM = {"encoding": pb.AUDIO_ENCODING_LINEAR16}


def exists(path, message):
    """Whether a message has the field of a path such as `config.features.diarization`."""
    name, _, rest = path.partition(".")
    field = message.fields_by_name.get(name)
    return field is not None and (not rest or exists(rest, field.message_type))


def placed(field, method, *messages):
    """The path of a field, which all of these messages have."""
    path = proto_field(field, method)
    assert all(exists(path, message.DESCRIPTOR) for message in messages)
    return path


def read_config(config, catalogue, *, diarizer):
    """What the door does, a refusal's field as the caller sees it included."""
    try:
        return checked(recognition_request(config), catalogue, diarizer=diarizer)
    except ServerError as error:
        error.field = placed(error.field, "Recognize", pb.RecognizeRequest, pb.UploadRecognizeRequest)
        raise


def read_live_config(streaming, catalogue):
    """The same for a live call."""
    try:
        return checked_live(live_request(streaming), catalogue)
    except ServerError as error:
        error.field = placed(error.field, "StreamingRecognize", pb.StreamingRecognizeRequest)
        raise


def read(**fields):
    return read_config(pb.RecognitionConfig(**fields), CATALOGUE, diarizer=False)


def test_an_empty_config_leaves_everything_to_the_server():
    recognition = read()
    assert recognition.model == "base"
    assert recognition.pcm is None
    assert recognition.diarization is None
    request = recognition.options.request(language=None, priority="interactive")
    assert request == {
        "model": "base", "language": None, "task": "transcribe", "word_timestamps": True, "priority": "interactive"
    }  # fmt: skip


def test_every_field_arrives():
    recognition = read(
        model="base",
        language_code="de-AT",
        task=pb.TASK_TRANSLATE,
        initial_prompt="Grüß Gott",
        hotwords=["Semmel", "Jause"],
        features=pb.RecognitionFeatures(enable_word_time_offsets=False, enable_voice_detection=False),
        decoding_options=pb.DecodingOptions(beam_size=2, temperatures=[0, 0.4], log_prob_threshold=-0.5),
    )
    assert recognition.options.voice_detection is None
    request = recognition.options.request(language=recognition.options.fixed_language, priority="bulk")
    assert request == {
        "model": "base",
        "language": "de",
        "task": "translate",
        "initial_prompt": "Grüß Gott",
        "hotwords": "Semmel, Jause",
        "word_timestamps": False,
        "priority": "bulk",
        "beam_size": 2,
        "temperature": [0.0, 0.4],
        "log_prob_threshold": -0.5,
    }


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"model": "huge"}, NotFoundError, "config.model"),
        ({"language_code": "klingon"}, InvalidArgumentError, "config.language_code"),
        ({"language_code": "fr"}, FailedPreconditionError, "config.language_code"),
        ({"model": "tiny.en", "task": pb.TASK_TRANSLATE}, FailedPreconditionError, "config.task"),
        ({"task": 7}, InvalidArgumentError, "config.task"),
        ({"explicit_decoding_config": {}}, InvalidArgumentError, "config.explicit_decoding_config.encoding"),
        (
            {"explicit_decoding_config": PCM | {"sample_rate_hertz": 1}},
            InvalidArgumentError,
            "config.explicit_decoding_config.sample_rate_hertz",
        ),
        (
            {"explicit_decoding_config": PCM | {"audio_channel_count": 99}},
            InvalidArgumentError,
            "config.explicit_decoding_config.audio_channel_count",
        ),
        ({"features": {"diarization": {}}}, FailedPreconditionError, "config.features.diarization"),
        (
            {"decoding_options": {"log_prob_threshold": float("nan")}},
            InvalidArgumentError,
            "config.decoding_options.log_prob_threshold",
        ),
    ],
)
def test_a_refusal_names_the_field(fields, error, field):
    with pytest.raises(error) as caught:
        read(**fields)
    assert caught.value.field == field


def test_contradicting_numbers_of_speakers_are_refused():
    wanted = pb.SpeakerDiarizationConfig(num_speakers=2, max_speakers=3)
    config = pb.RecognitionConfig(features=pb.RecognitionFeatures(diarization=wanted))
    with pytest.raises(InvalidArgumentError, match="not both"):
        read_config(config, CATALOGUE, diarizer=True)


@pytest.mark.parametrize(
    ("config", "features", "part"),
    [
        ({}, {}, "explicit_decoding_config"),
        ({"features": {"diarization": {}}, "explicit_decoding_config": PCM}, {}, "diarization"),
        (
            {"features": {"enable_voice_detection": False}, "explicit_decoding_config": PCM},
            {},
            "enable_voice_detection",
        ),
        ({"explicit_decoding_config": PCM}, {"speech_end_timeout": Duration(seconds=9)}, "speech_end_timeout"),
    ],
)
def test_live_audio_cannot_do_everything(config, features, part):
    streaming = pb.StreamingRecognitionConfig(config=config, streaming_features=features)
    with pytest.raises(InvalidArgumentError) as caught:
        read_live_config(streaming, CATALOGUE)
    assert part in str(caught.value.field)


def test_languages_script_and_channels_arrive():
    options = read(
        language_code="multi",
        language_codes=["de", "English"],
        chinese_script=pb.CHINESE_SCRIPT_TRADITIONAL,
        features=pb.RecognitionFeatures(multi_channel_mode=pb.MULTI_CHANNEL_MODE_SPLIT),
    ).options
    assert (options.language, options.languages) == ("multi", ("de", "en"))
    assert (options.script, options.channels) == ("traditional", "split")


SPLIT = pb.RecognitionFeatures(multi_channel_mode=pb.MULTI_CHANNEL_MODE_SPLIT)


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"language_codes": ["de", "auto"]}, InvalidArgumentError, "config.language_codes"),
        ({"language_codes": ["de"], "language_code": "en"}, InvalidArgumentError, "config.language_codes"),
        ({"language_codes": ["zh"]}, FailedPreconditionError, "config.language_code"),
        ({"chinese_script": 9}, InvalidArgumentError, "config.chinese_script"),
        (
            {"features": pb.RecognitionFeatures(multi_channel_mode=cast("pb.MultiChannelMode", 9))},
            InvalidArgumentError,
            "config.features.multi_channel_mode",
        ),
        (
            {
                "features": pb.RecognitionFeatures(
                    multi_channel_mode=pb.MULTI_CHANNEL_MODE_SPLIT, diarization=pb.SpeakerDiarizationConfig()
                )
            },
            InvalidArgumentError,
            "config.features.multi_channel_mode",
        ),
    ],
)
def test_languages_script_and_channels_that_make_no_sense(fields, error, field):
    with pytest.raises(error) as caught:
        read_config(pb.RecognitionConfig(**fields), CATALOGUE, diarizer=True)
    assert caught.value.field == field


@pytest.mark.parametrize("fields", [{"language_code": "multi"}, {"features": SPLIT}])
def test_live_audio_has_one_language_and_one_channel(fields):
    config = pb.RecognitionConfig(explicit_decoding_config=PCM, **fields)
    with pytest.raises(InvalidArgumentError, match="live audio"):
        read_live_config(pb.StreamingRecognitionConfig(config=config), CATALOGUE)


def test_live_audio_detects_its_language_among_those_that_are_allowed():
    config = pb.RecognitionConfig(explicit_decoding_config=PCM, language_codes=["de", "en"])
    live = read_live_config(pb.StreamingRecognitionConfig(config=config), CATALOGUE)
    assert live.options.languages == ("de", "en")


def test_a_model_that_knows_the_language_is_named():
    with pytest.raises(FailedPreconditionError, match="; base does"):
        read(model="tiny.en", language_code="de")


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "huge"},
        {"language_code": "klingon"},
        {"language_codes": ["de", "auto"]},
        {"task": 7},
        {"chinese_script": 9},
        {"explicit_decoding_config": {}},
        {"explicit_decoding_config": PCM | {"sample_rate_hertz": 1}},
        {"explicit_decoding_config": PCM | {"audio_channel_count": 99}},
        {"decoding_options": {"temperatures": [float("inf")]}},
        {"decoding_options": {"beam_size": 2, "length_penalty": float("nan")}},
        {"features": {"diarization": {"num_speakers": 2, "max_speakers": 3}}},
    ],
)
def test_a_refusal_of_a_live_call_names_a_field_that_it_has(wrong):
    """`read_live_config` looks every field up; once they began with `config.`, where a live call has no such field."""
    config = pb.RecognitionConfig(**({"explicit_decoding_config": PCM} | wrong))
    with pytest.raises(ServerError) as caught:
        read_live_config(pb.StreamingRecognitionConfig(config=config), CATALOGUE)
    assert str(caught.value.field).startswith("streaming_config.")


@pytest.mark.parametrize("method", ["Recognize", "UploadRecognize", "StreamingRecognize"])
def test_every_name_of_a_field_has_its_place_in_the_proto(method):
    first = {"Recognize": pb.RecognizeRequest, "UploadRecognize": pb.UploadRecognizeRequest}
    descriptor = first.get(method, pb.StreamingRecognizeRequest).DESCRIPTOR
    for name in (*proto_fields._CONFIG, "audio"):
        assert exists(proto_field(name, method), descriptor), name
    assert exists(proto_field("speech_end_timeout", "StreamingRecognize"), pb.StreamingRecognizeRequest.DESCRIPTOR)
