package methods

import (
	"ovbench/runners/vit"
)

// CLIPES is the class activation map of CLIP-ES (arXiv 2212.09506), without what refines it afterwards: Grad-CAM at the
// LayerNorm before the last attention, where the image is read from its patches,
//
//	P mean_n LN(z_n),
//
// and not from the class token, and the target is the probability of the text among all texts given. The authors give
// the classes that are present and 25 words of things that are background.
type CLIPES struct{}

// Traits are bilinear positions, as in the authors' code.
func (*CLIPES) Traits() Traits {
	return Traits{Positions: vit.Bilinear, Texts: true, Explains: true, Ending: ReLUMinMaxResizeMinMax, Together: true}
}

// Check wants a vision transformer.
func (*CLIPES) Check(m Models) error {
	_, err := needClass("clip_es", m)
	return err
}

// Read gives the weighted channels of patches, signed.
func (*CLIPES) Read(s *Scene) Reading {
	g, t := s.Graph, s.Tower()
	last := t.Depth() - 1
	z := s.patchesOf(s.Before(last+1), 1)
	seed := s.target(softmaxTarget, g.L2Normalize(g.Mean(t.Project(g, z, vit.ByValue), 1)))
	norm := t.Norm(g, last, s.Before(last))
	q, k, u := t.QKV(g, last, s.Before(last))
	r := s.weighted(s.patchesOf(norm, 1), s.throughLinear(norm, g.Gradient(seed, q, k, u), q, k, u))
	r.Wide = true
	return r
}
