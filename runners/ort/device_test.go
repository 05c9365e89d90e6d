package ort

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseDevice(t *testing.T) {
	for text, want := range map[string]Device{
		"": {}, "cpu": {}, "openvino": {Provider: OpenVINO}, "cuda": {Provider: CUDA}, "cuda:0": {Provider: CUDA},
		"cuda:12": {CUDA, 12},
	} {
		got, err := ParseDevice(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if again, err := ParseDevice(got.String()); err != nil || again != got {
			t.Errorf("%q: written as %q, which is read as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"gpu", "CUDA", "cuda:", "cuda:-1", "cuda:01", "cuda:+1", "cuda:1:2", "cpu:0",
		"openvino:1", " cpu", "cuda:99999999999999999999"} {
		if got, err := ParseDevice(text); err == nil || !strings.Contains(err.Error(), "cuda") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestParsePrecision(t *testing.T) {
	for text, want := range map[string]Precision{"": F32, "f32": F32, "bf16": BF16, "f16": F16} {
		if got, err := ParsePrecision(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"fp16", "F32", "int8", "f64"} {
		if got, err := ParsePrecision(text); err == nil || !strings.Contains(err.Error(), "f32, bf16, f16") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestDevicesInJSON(t *testing.T) {
	type where struct {
		Device    Device
		Precision Precision
	}
	in := where{Device{CUDA, 3}, BF16}
	text, err := json.Marshal(in)
	if want := `{"Device":"cuda:3","Precision":"bf16"}`; err != nil || string(text) != want {
		t.Fatalf("%s, %v, want %s", text, err, want)
	}
	var out where
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("%+v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Device":"tpu"}`), &out); err == nil {
		t.Error("tpu is a device")
	}
}

func TestCheckDevice(t *testing.T) {
	for _, c := range []struct {
		d    Device
		p    Precision
		says string // empty: it can be
	}{
		{Device{}, F32, ""},
		{Device{Provider: OpenVINO}, F32, ""},
		{Device{Provider: OpenVINO}, BF16, ""},
		{Device{CUDA, 1}, F32, ""},
		{Device{CUDA, 0}, F16, ""},
		{Device{}, BF16, "only in f32; --device openvino does"},
		{Device{}, F16, "only in f32; --device cuda does"},
		{Device{Provider: OpenVINO}, F16, "only in f32 or bf16; --device cuda does"},
		{Device{CUDA, 1}, BF16, "cuda:1 does not compute in bf16, only in f32 or f16; --device openvino does"},
		{Device{}, 9, "precision 9 is none; device cpu computes in f32"},
		{Device{CPU, 1}, F32, "is no device"},
		{Device{9, 0}, F32, "is no device"},
		{Device{CUDA, -1}, F32, "is no device"},
	} {
		err := CheckDevice(c.d, c.p)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v in %v: %v, want %q", c.d, c.p, err, c.says)
		}
	}
}
