package methods

import "ovbench/runners/vit"

// GatedCLIP weighs what patches say of a text by what the whole picture says of it,
//
//	max(cos(g, t), 0) · cos(p_i, t)
//
// where g is the global token and p_i are the patches of the unchanged model.
type GatedCLIP struct{}

// Traits say that the reading depends on texts.
func (*GatedCLIP) Traits() Traits { return Traits{Positions: vit.Bicubic, Texts: true} }

// Check takes any image tower.
func (*GatedCLIP) Check(Models) error { return nil }

// Read scores every patch for every text of the scene: values [B, N, T] in place of tokens.
func (*GatedCLIP) Read(s *Scene) Reading {
	r := (&CLIP{}).Read(s)
	gate := s.Relu(s.Cosines(r.Global)) // [B, 1, T]
	r.Patches, r.Scored = s.Mul(s.Cosines(r.Patches), gate), true
	return r
}
