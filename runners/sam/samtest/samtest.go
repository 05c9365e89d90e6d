// Package samtest answers: where does a test get a Segment Anything model of any shape?
//
// [Write] makes checkpoints of random weights with the authors' names. They compute like trained ones of their shape,
// which is all that speed, memory and equality need.
package samtest

import (
	"fmt"
	"math"
	"slices"

	"ovbench/runners/checkpoint/checkpointtest"
)

// Shape is the architecture to make.
type Shape struct {
	Image, Patch               int
	Width, Depth, Heads        int
	Window                     int
	Global                     []int // blocks that attend to the whole picture
	Embed, MLP, Masks, Decoder int   // channels of embeddings, of the decoder's MLPs, mask tokens, layers of the decoder
}

// The shapes of the released models, and one for tests of everything around.
var (
	ViTB = Shape{1024, 16, 768, 12, 12, 14, []int{2, 5, 8, 11}, 256, 2048, 4, 2}
	ViTH = Shape{1024, 16, 1280, 32, 16, 14, []int{7, 15, 23, 31}, 256, 2048, 4, 2}
	Tiny = Shape{64, 8, 24, 2, 2, 3, []int{1}, 16, 24, 4, 2}
)

// Write makes a safetensors file from a seed.
func Write(path string, s Shape, seed uint64) error {
	return checkpointtest.WriteSafetensors(path, Weights(s), seed)
}

// Weights lists the tensors.
func Weights(s Shape) checkpointtest.List {
	var l checkpointtest.List
	grid := s.Image / s.Patch
	l.Add("image_encoder.pos_embed", 0.5, 1, grid, grid, s.Width)
	conv(&l, "image_encoder.patch_embed.proj", s.Width, 3, s.Patch)
	for i := range s.Depth {
		p := fmt.Sprintf("image_encoder.blocks.%d.", i)
		side := s.Window
		if slices.Contains(s.Global, i) {
			side = grid
		}
		l.Norm(p+"norm1", s.Width)
		l.Norm(p+"norm2", s.Width)
		l.Linear(p+"attn.qkv", 3*s.Width, s.Width)
		l.Linear(p+"attn.proj", s.Width, s.Width)
		l.Add(p+"attn.rel_pos_h", 0.3, 2*side-1, s.Width/s.Heads)
		l.Add(p+"attn.rel_pos_w", 0.3, 2*side-1, s.Width/s.Heads)
		l.Linear(p+"mlp.lin1", 4*s.Width, s.Width)
		l.Linear(p+"mlp.lin2", s.Width, 4*s.Width)
	}
	c := s.Embed
	l.Add("image_encoder.neck.0.weight", 1/math.Sqrt(float64(s.Width)), c, s.Width, 1, 1)
	l.Norm("image_encoder.neck.1", c)
	l.Add("image_encoder.neck.2.weight", 1/math.Sqrt(float64(9*c)), c, c, 3, 3)
	l.Norm("image_encoder.neck.3", c)
	prompts(&l, c)
	decoder(&l, s)
	return l
}

func prompts(l *checkpointtest.List, c int) {
	const p = "prompt_encoder."
	l.Add(p+"pe_layer.positional_encoding_gaussian_matrix", 1, 2, c/2)
	for i := range 4 {
		l.Add(fmt.Sprintf("%spoint_embeddings.%d.weight", p, i), 1, 1, c)
	}
	l.Add(p+"not_a_point_embed.weight", 1, 1, c)
	l.Add(p+"no_mask_embed.weight", 1, 1, c)
	conv(l, p+"mask_downscaling.0", 4, 1, 2)
	l.Norm(p+"mask_downscaling.1", 4)
	conv(l, p+"mask_downscaling.3", 16, 4, 2)
	l.Norm(p+"mask_downscaling.4", 16)
	conv(l, p+"mask_downscaling.6", c, 16, 1)
}

func decoder(l *checkpointtest.List, s Shape) {
	c := s.Embed
	const p = "mask_decoder."
	l.Add(p+"iou_token.weight", 1, 1, c)
	l.Add(p+"mask_tokens.weight", 1, s.Masks, c)
	attention := func(name string, inner int) {
		for _, part := range []string{"q_proj", "k_proj", "v_proj"} {
			l.Linear(name+"."+part, inner, c)
		}
		l.Linear(name+".out_proj", c, inner)
	}
	for i := range s.Decoder {
		layer := fmt.Sprintf("%stransformer.layers.%d.", p, i)
		attention(layer+"self_attn", c)
		attention(layer+"cross_attn_token_to_image", c/2)
		attention(layer+"cross_attn_image_to_token", c/2)
		for k := range 4 {
			l.Norm(fmt.Sprintf("%snorm%d", layer, k+1), c)
		}
		l.Linear(layer+"mlp.lin1", s.MLP, c)
		l.Linear(layer+"mlp.lin2", c, s.MLP)
	}
	attention(p+"transformer.final_attn_token_to_image", c/2)
	l.Norm(p+"transformer.norm_final_attn", c)
	transposed := func(name string, in, out int) {
		l.Add(name+".weight", 1/math.Sqrt(float64(in)), in, out, 2, 2)
		l.Add(name+".bias", 0.02, out)
	}
	transposed(p+"output_upscaling.0", c, c/4)
	l.Norm(p+"output_upscaling.1", c/4)
	transposed(p+"output_upscaling.3", c/4, c/8)
	mlp := func(name string, out int) {
		l.Linear(name+".layers.0", c, c)
		l.Linear(name+".layers.1", c, c)
		l.Linear(name+".layers.2", out, c)
	}
	for i := range s.Masks {
		mlp(fmt.Sprintf("%soutput_hypernetworks_mlps.%d", p, i), c/8)
	}
	mlp(p+"iou_prediction_head", s.Masks)
}

func conv(l *checkpointtest.List, name string, out, in, side int) {
	l.Add(name+".weight", 1/math.Sqrt(float64(in*side*side)), out, in, side, side)
	l.Add(name+".bias", 0.02, out)
}
