package ort

import (
	"cmp"
	"encoding"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Device is what a session computes on: the provider's name, and which of several. The zero value is the CPU, by ONNX
// Runtime's own kernels. Devices compare with ==; [Device.String] and [ParseDevice] are each other's inverse.
type Device struct {
	Provider Provider
	Index    int // of several GPUs; 0 elsewhere
}

// Provider is a library of kernels.
type Provider uint8

// The providers that sessions can run on.
const (
	CPU      Provider = iota // ONNX Runtime's own kernels
	OpenVINO                 // OpenVINO's kernels, on the CPU
	CUDA                     // an NVIDIA GPU
)

// Precision is the type of numbers that matrix products take. Normalisations, sums of similarities and all results stay
// float32. The zero value is float32.
type Precision uint8

// The precisions of products.
const (
	F32  Precision = iota
	BF16           // 8 bits of mantissa
	F16            // 11 bits of mantissa, of numbers up to 65504
)

var (
	providers  = []string{CPU: "cpu", OpenVINO: "openvino", CUDA: "cuda"}
	precisions = []string{F32: "f32", BF16: "bf16", F16: "f16"}

	// offered are the precisions that each provider computes products in.
	offered = [][]Precision{CPU: {F32}, OpenVINO: {F32, BF16}, CUDA: {F32, F16}}
)

var (
	_ encoding.TextUnmarshaler = (*Device)(nil)
	_ encoding.TextUnmarshaler = (*Precision)(nil)
)

// ParseDevice reads cpu, openvino, cuda or cuda:N. Nothing is the CPU.
func ParseDevice(s string) (Device, error) {
	name, number, numbered := strings.Cut(s, ":")
	i := slices.Index(providers, cmp.Or(name, "cpu"))
	if i < 0 {
		return Device{}, fmt.Errorf("device %q is not known; known are cpu, openvino, cuda, cuda:N", s)
	}
	d := Device{Provider: Provider(i)}
	if !numbered {
		return d, nil
	}
	var err error
	if d.Index, err = strconv.Atoi(number); err != nil || d.Provider != CUDA || strconv.Itoa(d.Index) != number ||
		d.Index < 0 {
		return Device{}, fmt.Errorf("device %q: a number from 0 may follow cuda only, as in cuda:1", s)
	}
	return d, nil
}

// String is the device as [ParseDevice] reads it; the first GPU is cuda.
func (d Device) String() string {
	if int(d.Provider) >= len(providers) {
		return fmt.Sprintf("device %d", d.Provider)
	}
	if d.Index != 0 {
		return fmt.Sprintf("%s:%d", providers[d.Provider], d.Index)
	}
	return providers[d.Provider]
}

// MarshalText is String.
func (d Device) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDevice.
func (d *Device) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDevice(string(text))
	return err
}

// ParsePrecision reads f32, bf16 or f16. Nothing is f32.
func ParsePrecision(s string) (Precision, error) {
	i := slices.Index(precisions, cmp.Or(s, "f32"))
	if i < 0 {
		return 0, fmt.Errorf("precision %q is not known; known are %s", s, strings.Join(precisions, ", "))
	}
	return Precision(i), nil
}

// String is the precision as [ParsePrecision] reads it.
func (p Precision) String() string {
	if int(p) >= len(precisions) {
		return fmt.Sprintf("precision %d", p)
	}
	return precisions[p]
}

// MarshalText is String.
func (p Precision) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePrecision.
func (p *Precision) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrecision(string(text))
	return err
}

// CheckDevice says why no session can compute in a precision on a device, whatever the machine has.
func CheckDevice(d Device, p Precision) error {
	if int(d.Provider) >= len(providers) || d.Index < 0 || d.Index > 0 && d.Provider != CUDA {
		return fmt.Errorf("%v is no device; known are cpu, openvino, cuda, cuda:N", d)
	}
	if slices.Contains(offered[d.Provider], p) {
		return nil
	}
	var has, others []string
	for _, q := range offered[d.Provider] {
		has = append(has, q.String())
	}
	for provider, list := range offered {
		if slices.Contains(list, p) {
			others = append(others, "--device "+providers[provider])
		}
	}
	if len(others) == 0 {
		return fmt.Errorf("%v is none; device %v computes in %s", p, d, strings.Join(has, " or "))
	}
	return fmt.Errorf("device %v does not compute in %v, only in %s; %s does", d, p, strings.Join(has, " or "),
		strings.Join(others, " or "))
}
