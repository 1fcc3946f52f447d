"""What is said in a video: its subtitles, or else what a speech model hears."""

from centerclip.speech.recognition import Recognizer
from centerclip.speech.subtitles import read_subtitles

__all__ = ["Recognizer", "read_subtitles"]
