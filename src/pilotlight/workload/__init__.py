"""WHAT is protected: the declaration, checked whole before anything is called.

Takes: the path of a YAML file. Makes: a Workload, or every problem in the file at once, each with its line.
May touch: that file. Start reading at: load.py; model.py is the shape, rules.py what no shape can say.
"""
