"""What the tools of an Ascend host print and write, as short as it can be."""

from __future__ import annotations

AIS_SUMMARY = {
    "filesinfo": {"pure_infer_data": {"infiles": []}},
    "args": {"model": "a_bs16.om", "batchsize": 16, "device": 0},
    "NPU_compute_time": {"min": 10.1, "max": 12.4, "mean": 10.6, "median": 10.5, "percentile(99%)": 12.2, "count": 2},
    "H2D_latency": {"mean": 0.5},
    "throughput": 1509.4,
    "npu_compute_time_list": [10.1, 12.4],
}
AIS_LOG = b"""[INFO] NPU_compute_time (ms): min = 10.1, max = 12.4, mean = 10.6, median = 10.5, percentile(99%) = 12.2
[INFO] throughput 1000*batchsize.mean(16)/NPU_compute_time.mean(10.6): 1509.43
"""
PURE_LOG = b"[INFO] PureInfer result saved in ./result/PureInfer_perf_of_a_bs4_in_device_0.txt\n"
PURE_LOG += b"ave_throughputRate = 270.5samples/s, ave_latency = 3.7ms\n"
PERF_VISION = b"""[e2e] throughputRate: 250.1, latency: 199920
[data read] throughputRate: 260, moduleLatency: 3.8
[infer] throughputRate: 251, Interface throughputRate: 280.5, moduleLatency: 3.98
"""
ATC_LOG = b"""ATC start working now, please wait for a moment.
E19010: No parser is registered for Op [Einsum_12, optype [ai.onnx::11::Einsum]].
ATC run failed
"""
SCORES = {
    "title": "Overall statistical evaluation",
    "value": [
        {"key": "Number of images", "value": "50000"},
        {"key": "Number of classes", "value": "1000"},
        {"key": "Top1 accuracy", "value": "76.46%"},
        {"key": "Top2 accuracy", "value": "86.33%"},
    ],
}
