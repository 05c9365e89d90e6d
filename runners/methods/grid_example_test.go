package methods

import "ovbench/runners/vit"

// LentCLIP averages CLIP's patches over what another network, other, takes to be alike,
//
//	softmax(τ f̂ f̂ᵀ) p
//
// where f are the other network's patches, and p CLIP's, interpolated to its grid. The map has that grid.
type LentCLIP struct {
	Temperature float64 `json:"tau"`
}

// Traits name the network that the method reads beside the image-text model; a user gives it with --backbone
// other=PATH.
func (*LentCLIP) Traits() Traits { return Traits{Positions: vit.Bicubic, Backbones: []string{"other"}} }

// Check takes any image tower.
func (*LentCLIP) Check(Models) error { return nil }

// Read gives patches on the other network's grid, and the global token of the unchanged model.
func (c *LentCLIP) Read(s *Scene) Reading {
	other := s.Backbones["other"]
	f := s.L2Normalize(other.Features(s.Graph, s.RGB, s.Positions))
	like := s.Softmax(s.Scale(s.MatMul(f, s.Transpose(f, 0, 2, 1)), float32(c.Temperature)), -1)
	r := (&CLIP{}).Read(s)
	r.Patches = s.MatMul(like, s.Resized(r.Patches, other))
	return s.OnGrid(r, other)
}
