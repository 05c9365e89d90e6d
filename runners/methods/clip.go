package methods

import "ovbench/runners/vit"

// CLIP is the unchanged model: every token goes where the global token goes.
type CLIP struct{}

// Traits are bicubic positions, as in the code of SCLIP and of those that build on it, where CLIP is the baseline.
func (*CLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check takes any image tower.
func (*CLIP) Check(Models) error { return nil }

// Read takes all tokens as the encoder gives them.
func (*CLIP) Read(s *Scene) Reading { return s.Tokens(s.Encoder().Encode(s.Graph, s.RGB, s.Positions)) }
