"""How far cross-attention word starts lie from the truth, for each language, on synthetic speech.

    .venv/bin/python -m benchmarks.quality.attention_bias [LANGUAGE ...]

espeak-ng says sentences and tells where each word starts; Whisper base times the same text, in one process. The bias
that `words.ATTENTION_BIAS_S` takes off is already off: a median of 0 says that it fits. First words are left out.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table
from tests.harness.synthetic import Espeak, Utterance

from benchmarks.speed.inprocess import InProcess  # noqa: F401 - puts the model repository's packages on the path
from triscribe.models import ModelStore
from triscribe_transcribe.checkpoint import Checkpoint
from triscribe_transcribe.features import SAMPLE_RATE, log_mel
from triscribe_transcribe.units import written_words
from triscribe_transcribe.words import attention_words
from triscribe_whisper.checkpoint import Checkpoint as WhisperCheckpoint
from triscribe_whisper.device import load
from triscribe_whisper.engine import Answer, Call, Engine
from triscribe_whisper.options import WhisperOptions

SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "en-us",
        "The quick brown fox jumps over the lazy dog.",
        "She sells fresh bread and butter in the market every morning.",
        "Nobody expected the meeting to finish so early today.",
        "We walked along the river until the sun went down.",
        "People often forget their keys when they leave in a hurry.",
        "Seven different birds were singing in the garden.",
    ),
    "de": (
        "de",
        "Heute scheint die Sonne und wir gehen in den Park.",
        "Niemand hat gestern Abend an die Besprechung gedacht.",
        "Meine Schwester liest jeden Morgen die Zeitung.",
        "Der Zug nach Berlin fährt um sieben Uhr ab.",
        "Wir haben lange am Fluss gesessen und geredet.",
        "Das neue Buch liegt auf dem Tisch neben der Lampe.",
    ),
    "es": (
        "es",
        "Hoy hace sol y vamos a caminar por el parque.",
        "Nadie pensaba que la reunión terminaría tan temprano.",
        "Mi hermana lee el periódico todas las mañanas.",
        "El tren para Madrid sale a las siete de la tarde.",
        "Hablamos mucho tiempo junto al río hasta la noche.",
        "El libro nuevo está sobre la mesa al lado de la lámpara.",
    ),
    "ko": (
        "ko",
        "오늘 날씨가 정말 좋아서 공원에 갔습니다.",
        "저는 서울에서 친구들과 한국어를 공부하고 있어요.",
        "어제 먹었던 음식이 아주 맛있었습니다.",
        "회의는 내일 아침에 시작하니까 늦지 마세요.",
        "그 영화는 생각보다 훨씬 재미있었다고 말했다.",
        "우리 가족은 매년 여름에 바다로 여행을 갑니다.",
        "새로운 기술이 사람들의 생활을 바꾸고 있습니다.",
        "도서관에서 책을 읽다가 잠이 들었어요.",
    ),
    "zh": (
        "cmn",
        "今天天气很好我们去公园散步",
        "大学生利用漏洞免费吃肯德基",
        "他每天早上都看报纸喝咖啡",
        "明天上午九点我们在办公室开会",
        "这本新书放在桌子上面",
        "广州市房地产中介协会分析",
    ),
}
"""Code to the voice of espeak-ng and what it says."""


def errors(utterance: Utterance, language: str, engine: Engine, checkpoint: Checkpoint) -> list[float]:
    """Seconds by which word starts are late."""
    tokenizer = checkpoint.text_tokenizer(language)
    tokens = tokenizer.encode(utterance.text)
    duration_s = len(utterance.samples) / SAMPLE_RATE
    options = WhisperOptions(
        language=language, attention=True, text_tokens=tuple(tokens), content_frames=round(duration_s * 100)
    )
    (answer,) = engine.run([Call(log_mel(utterance.samples, checkpoint.n_mels, 3000), options)])
    if not isinstance(answer, Answer):
        raise answer
    pieces = written_words(tokens, tokenizer)
    words = attention_words(pieces, answer.token_starts, answer.token_probs, duration_s)
    truth, position, found = dict(utterance.starts), 0, []
    for word in words:
        start = utterance.text.index(word.word, position)
        position = start + len(word.word)
        if start in truth and start > 0:
            found.append(word.start - truth[start])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languages", nargs="*", default=list(SENTENCES))
    arguments = parser.parse_args()
    path = ModelStore().resolve("base")
    engine = Engine(load(str(path), device="cpu", threads=2), WhisperCheckpoint.read(path))
    checkpoint = Checkpoint.read("base", path, tasks=["transcribe"])
    espeak = Espeak()
    table = Table("language", "words", "signed median ms", "median error ms", "90th percentile ms")
    for language in arguments.languages:
        voice, *sentences = SENTENCES[language]
        late = [e for text in sentences for e in errors(espeak.say(text, voice), language, engine, checkpoint)]
        off = 1000 * np.array(late)
        table.add_row(
            language,
            str(len(off)),
            *(f"{v:.0f}" for v in (np.median(off), np.median(np.abs(off)), np.percentile(np.abs(off), 90))),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
