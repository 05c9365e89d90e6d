package methods

import "ovbench/runners/vit"

// MaskCLIP reads the values of the last block (arXiv 2112.01071, section 3.2): attention is left out, so
// that a token keeps to its own place.
type MaskCLIP struct {
	// Residual keeps the residual and the MLP of the last block, as in the authors' code. The form without them is what
	// later papers (ClearCLIP's code) compare with under the same name.
	Residual bool `json:"residual"`
}

// Traits are bicubic positions, as in all methods that read the last block only.
func (*MaskCLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check wants a vision transformer.
func (*MaskCLIP) Check(m Models) error {
	_, err := needBlocks("maskclip", m)
	return err
}

// Read takes x + P(v), then + MLP; or P(v) alone.
func (c *MaskCLIP) Read(s *Scene) Reading {
	g, v := s.Graph, s.Tower()
	last := v.Depth() - 1
	x := s.Before(last)
	_, _, u := v.QKV(g, last, x)
	return s.Project(read(g, v, last, x, u, c.Residual))
}
