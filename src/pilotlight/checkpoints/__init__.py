"""What makes a checkpoint complete, format by format, judged where it will be needed.

Takes: a Reader (a listing and ranged reads). Makes: Verdicts. May touch: the standard library, and a Reader's source.
Never unpickles. Start reading at: verify.py; format.py has the words, safetensors.py and generic.py the formats.
"""
