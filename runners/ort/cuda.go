package ort

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	onnxruntime "github.com/yalue/onnxruntime_go"
)

// cuda gives a session CUDA's kernels. Sums in f32 are those of f32: tensor cores would round factors to TF32 unasked.
func (l *Library) cuda(opts *onnxruntime.SessionOptions, d Device) error {
	if err := preload(l.Path); err != nil {
		return err
	}
	p, err := onnxruntime.NewCUDAProviderOptions()
	if err != nil {
		return cudaError(d, err)
	}
	defer p.Destroy()
	if err := p.Update(cudaOptions(d)); err != nil { // Append would not say what is missing
		return cudaError(d, err)
	}
	return cudaError(d, opts.AppendExecutionProviderCUDA(p))
}

// cudaOptions are those of ONNX Runtime's documentation of its CUDA provider.
func cudaOptions(d Device) map[string]string {
	return map[string]string{
		"device_id":                 strconv.Itoa(d.Index),
		"use_tf32":                  "0",
		"cudnn_conv_algo_search":    "HEURISTIC",        // trying all would begin anew with each size
		"arena_extend_strategy":     "kSameAsRequested", // sizes differ from picture to picture
		"do_copy_in_default_stream": "1",
	}
}

// cudaFaults are what the loader and the provider say, and what to do about it.
var cudaFaults = []struct{ says, remedy string }{
	{"libcuda.so.1", "the NVIDIA driver is not installed, or this machine has no GPU; use --device cpu"},
	{"CUDA failure 35", "the NVIDIA driver is older than CUDA 13 needs (580 or newer); update it, or use --device cpu"},
	{"CUDA driver version is insufficient",
		"the NVIDIA driver is older than CUDA 13 needs (580 or newer); update it, or use --device cpu"},
	{"no CUDA-capable device",
		"the driver sees no GPU (nvidia-smi lists them; CUDA_VISIBLE_DEVICES hides them); use --device cpu"},
	{"Invalid device ID", "there is no GPU of that number (nvidia-smi lists them); name another: --device cuda:0"},
	{"libonnxruntime_providers", "this ONNX Runtime computes on the CPU alone; run `ovbench setup --device cuda`"},
	{"Failed to load shared library", "this ONNX Runtime computes on the CPU alone; run `ovbench setup --device cuda`"},
	{"libcud", "a library of CUDA is missing; run `ovbench setup --device cuda`, or put its folder into LD_LIBRARY_PATH"},
	{"libcublas", "a library of CUDA is missing; run `ovbench setup --device cuda`, or put its folder into " +
		"LD_LIBRARY_PATH"},
	{"libcurand", "a library of CUDA is missing; run `ovbench setup --device cuda`, or put its folder into " +
		"LD_LIBRARY_PATH"},
}

// cudaError is err with a remedy. What is missing stands behind the name of the file that misses it.
func cudaError(d Device, err error) error {
	if err == nil {
		return nil
	}
	err = cause(err)
	text := err.Error()
	if _, after, ok := strings.Cut(text, "libonnxruntime_providers_cuda.so with error: "); ok {
		text = after
	}
	for _, f := range cudaFaults {
		if strings.Contains(text, f.says) {
			return fmt.Errorf("device %v: %w; %s", d, err, f.remedy)
		}
	}
	return fmt.Errorf("device %v: %w; ovbench doctor says what is here", d, err)
}

// cudaFiles are what the provider needs, in the order of what needs what.
var cudaFiles = []string{"libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10"}

// preload opens CUDA's libraries by their absolute paths, where they lie beside ONNX Runtime or in the wheels beside
// its own: the provider then finds them by name. Where they are elsewhere the loader may find them.
func preload(library string) error {
	dir := filepath.Dir(library)
	if real, err := filepath.EvalSymlinks(library); err == nil {
		dir = filepath.Dir(real)
	}
	for _, from := range []string{dir, filepath.Join(dir, "..", "..", "nvidia", "cu13", "lib")} {
		if !exists(filepath.Join(from, cudaFiles[0])) {
			continue
		}
		for _, name := range cudaFiles {
			path := filepath.Join(from, name)
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("%w; run `ovbench setup --device cuda`", err)
			}
			if err := openShared(path); err != nil {
				return cudaError(Device{Provider: CUDA}, err)
			}
		}
		return nil
	}
	return nil
}
