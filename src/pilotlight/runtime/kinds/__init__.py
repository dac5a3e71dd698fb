"""The asset kinds as the runtime knows them: what is observed, kept and proven of each, and the steps of each in a run.

Takes: the context, one asset. Makes: Parts, and Answers of steps. May touch: AWS through the context's client. Start
reading at: action.py (what a step is), then the folder of a kind.
"""
