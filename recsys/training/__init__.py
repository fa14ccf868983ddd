"""What a run of training is, whatever the framework.

`loop` has the epochs and steps, `checkpoint` the file that a run goes on from, `curves`
the record for TensorBoard, `interrupts` what Ctrl-C does. None loads a framework: the
loop asks an engine, such as `recsys.torch.engine`.
"""
