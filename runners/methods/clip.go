package methods

import "ovbench/runners/vit"

// CLIP is the unchanged model: every token goes where the global token goes.
type CLIP struct {
	// Pool is how patches go through a pool of SigLIP or PE-Core, value (so if left out) or head; of no effect elsewhere.
	Pool vit.PoolForm `json:"pool,omitempty"`
}

// Traits are bicubic positions, as in the code of SCLIP and of those that build on it, where CLIP is the baseline.
func (*CLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check takes any image tower.
func (c *CLIP) Check(Models) error { return checkForm("clip", c.Pool) }

// Read takes all tokens as the encoder gives them.
func (c *CLIP) Read(s *Scene) Reading {
	if t, err := s.transformer(); err == nil && t.Transformer().Pool != nil {
		return s.projectAs(s.Before(t.Transformer().Depth()), c.Pool)
	}
	return s.Tokens(s.Encoder().Encode(s.Graph, s.RGB, s.Positions))
}
