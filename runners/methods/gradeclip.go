package methods

import "ovbench/runners/vit"

// GradECLIP is Grad-ECLIP (arXiv 2502.18816) of the last block: patch n gets
//
//	Σ_c g_c v_nc w_n,  w_n = min-max over patches of cos(P q_0, P k_n)
//
// where g is the gradient of the cosine by what the class token's attention gives, before the output projection P, and
// w a loosened attention. The authors' code runs the last block with attention in one head of full width, so it
// explains another score than CLIP's; native heads explain CLIP's own.
type GradECLIP struct {
	QK    string `json:"qk"`    // projected: w is of queries and keys behind P, as in the authors' script; raw, as in their notebook
	KSim  bool   `json:"ksim"`  // without it w is 1
	Heads string `json:"heads"` // one (as reference) or native
}

// Traits are positions read bicubically to a size, as in the authors' code.
func (*GradECLIP) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Explains: true, Comparable: true, Ending: ReLUMinMaxResize}
}

// Check wants a vision transformer and known parameters.
func (e *GradECLIP) Check(m Models) error {
	if _, err := needClass("grad_eclip", m); err != nil {
		return err
	}
	if err := oneOf("grad_eclip", "qk", e.QK, "projected", "raw"); err != nil {
		return err
	}
	return oneOf("grad_eclip", "heads", e.Heads, headsOf...)
}

// Read gives the weighted values of patches, signed.
func (e *GradECLIP) Read(s *Scene) Reading {
	g, t := s.Graph, s.Tower()
	row := s.lastRow(e.Heads != "native")
	r := s.weighted(s.patchesOf(row.v, 1), g.Gradient(s.target(cosineTarget, row.embedding), row.attended)[0])
	if !e.KSim {
		return r
	}
	q, k := row.q, s.patchesOf(row.k, 1)
	if e.QK == "projected" {
		last := t.Depth() - 1
		q, k = t.Out(g, last, q), t.Out(g, last, k)
	}
	w := g.MatMul(g.L2Normalize(k), g.Transpose(g.L2Normalize(q), 0, 2, 1)) // [B, N, 1]
	low := g.Min(w, 1)
	r.Patches = g.Mul(r.Patches, g.Div(g.Sub(w, low), g.Sub(g.Max(w, 1), low)))
	return r
}
