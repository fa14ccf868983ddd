"""What a run of training is, whatever the framework.

`loop` has the epochs, `steps` the rate and the draws of a step, `checkpoint` the file
that a run goes on from, `lock` what keeps another run from it, `curves` the record for
TensorBoard, `interrupts` what Ctrl-C does. None loads a framework: the loop asks an
engine, such as `recsys.torch.engine`.
"""
