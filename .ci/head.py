"""A linear pose head: fit it to a training set and write it as ONNX; hold what `pose-head run` said to NumPy's answer."""
import json
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def features(csi):
    """Mean over tones of the real and imaginary parts at the newest cycle: rows x (links * 2)."""
    return csi[:, -1].mean(axis=2).reshape(len(csi), -1)


def load(directory, name):
    return np.load(f"{directory}/{name}.npy")


def fit(directory, path):
    x, y = features(load(directory, "csi")), load(directory, "keypoints_m").reshape(len(load(directory, "cycle")), -1)
    ridge = x.T @ x + 0.1 * np.eye(x.shape[1], dtype=x.dtype)
    w = np.linalg.solve(ridge, x.T @ (y - y.mean(axis=0))).astype(np.float32)
    b = y.mean(axis=0).astype(np.float32)
    init = [
        numpy_helper.from_array(w, "w"),
        numpy_helper.from_array(b, "b"),
        numpy_helper.from_array(np.array([31], np.int64), "from"),
        numpy_helper.from_array(np.array([32], np.int64), "to"),
        numpy_helper.from_array(np.array([1], np.int64), "time"),
        numpy_helper.from_array(np.array([1, x.shape[1]], np.int64), "flat"),
        numpy_helper.from_array(np.array([1, 4, 17, 3], np.int64), "shape"),
        numpy_helper.from_array(np.array([1, 4], np.int64), "four"),
        numpy_helper.from_array(load(directory, "existence").mean(axis=0).astype(np.float32), "share"),
    ]
    node = helper.make_node
    nodes = [
        node("Slice", ["csi", "from", "to", "time"], ["newest"]),
        node("ReduceMean", ["newest"], ["mean"], axes=[3], keepdims=0),
        node("Reshape", ["mean", "flat"], ["x"]),
        node("MatMul", ["x", "w"], ["xw"]),
        node("Add", ["xw", "b"], ["y"]),
        node("Reshape", ["y", "shape"], ["keypoints_m"]),
        node("Reshape", ["share", "four"], ["existence"]),
    ]
    of = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    outputs = [of("existence", [1, 4]), of("keypoints_m", [1, 4, 17, 3])]
    graph = helper.make_graph(nodes, "linear", [of("csi", [1, 32, 16, 56, 2])], outputs, init)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def check(directory, path, evidence):
    weights = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    cycles = load(directory, "cycle").tolist()
    wanted = features(load(directory, "csi")) @ weights["w"] + weights["b"]
    with open(evidence) as lines:
        head, *said = [json.loads(line) for line in lines]
    assert head["witnessed"] is False and len(head["model_blake3"]) == 64, head
    by_cycle = {line["cycle"]: line for line in said}
    assert len(cycles) > 30 and set(cycles) <= set(by_cycle), (len(cycles), len(said))
    worst = max(np.abs(np.array(by_cycle[c]["keypoints_m"]) - row).max() for c, row in zip(cycles, wanted))
    assert worst < 1e-3, worst
    assert all(len(line["chain"]) == 64 and line["source"] == "simulated" for line in said)
    print(f"{len(cycles)} windows: ONNX and NumPy agree within {worst:.1e} m")


if __name__ == "__main__":
    {"fit": fit, "check": check}[sys.argv[1]](*sys.argv[2:])
