package ort

import (
	"encoding/json"
	"fmt"
	"strconv"

	onnxruntime "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/cpu"
)

// openvino gives a session OpenVINO's kernels for the CPU. The precision is always said: left alone, OpenVINO chooses
// bf16 where the CPU has it.
func (o Options) openvino(opts *onnxruntime.SessionOptions, threads int) error {
	if o.Precision == BF16 && !cpu.X86.HasAVX512BF16 && !cpu.X86.HasAMXBF16 {
		return fmt.Errorf("this CPU does not multiply bf16 (AVX512-BF16 or AMX would), and OpenVINO would compute f32 in " +
			"its place; use --precision f32")
	}
	config, err := json.Marshal(map[string]map[string]string{"CPU": {
		"INFERENCE_PRECISION_HINT": o.Precision.String(),
		"INFERENCE_NUM_THREADS":    strconv.Itoa(threads),
	}})
	if err != nil {
		return err
	}
	if err := opts.AppendExecutionProviderOpenVINO(map[string]string{"device_type": "CPU",
		"load_config": string(config)}); err != nil {
		return fmt.Errorf("device openvino: %w; %s", cause(err), remedy(OpenVINO))
	}
	return nil
}
