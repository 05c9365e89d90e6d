// Package dinotest writes DINO and DINOv2 checkpoints of random weights, for tests.
package dinotest

import (
	"fmt"
	"math"

	"ovbench/runners/checkpoint/checkpointtest"
)

// Shape is the shape of a model.
type Shape struct {
	Image, Patch, Width, Layers int
	Registers                   int
	LayerScale                  bool // DINOv2
}

// Tiny is a DINO of 4-pixel patches; V2 a DINOv2 with registers.
var (
	Tiny = Shape{Image: 16, Patch: 4, Width: 32, Layers: 2}
	V2   = Shape{Image: 24, Patch: 6, Width: 32, Layers: 2, Registers: 3, LayerScale: true}
)

// Write writes a checkpoint with the names of torch.hub as safetensors. The same seed gives the same numbers.
func Write(path string, s Shape, seed uint64) error {
	return checkpointtest.WriteSafetensors(path, Weights(s), seed)
}

// Weights lists the tensors of a model.
func Weights(s Shape) checkpointtest.List {
	var l checkpointtest.List
	grid := s.Image / s.Patch
	l.Add("cls_token", 0.5, 1, 1, s.Width)
	l.Add("pos_embed", 0.5, 1, 1+grid*grid, s.Width)
	if s.Registers > 0 {
		l.Add("register_tokens", 0.5, 1, s.Registers, s.Width)
	}
	l.Add("patch_embed.proj.weight", 1/math.Sqrt(float64(3*s.Patch*s.Patch)), s.Width, 3, s.Patch, s.Patch)
	l.Add("patch_embed.proj.bias", 0.2, s.Width)
	for i := range s.Layers {
		p := fmt.Sprintf("blocks.%d.", i)
		l.Norm(p+"norm1", s.Width)
		l.Linear(p+"attn.qkv", 3*s.Width, s.Width)
		l.Linear(p+"attn.proj", s.Width, s.Width)
		l.Norm(p+"norm2", s.Width)
		l.Linear(p+"mlp.fc1", 4*s.Width, s.Width)
		l.Linear(p+"mlp.fc2", s.Width, 4*s.Width)
		if s.LayerScale {
			l.Add(p+"ls1.gamma", 1, s.Width)
			l.Add(p+"ls2.gamma", 1, s.Width)
		}
	}
	l.Norm("norm", s.Width)
	return l
}
