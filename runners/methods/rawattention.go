package methods

import "ovbench/runners/vit"

// RawAttention is the attention of the class token in the last block, mean over heads. It does not depend on the text.
// Of a ResNet it is that of the mean in the attention pool, of a tower with a pool that of its query.
type RawAttention struct {
	Heads string `json:"heads"` // native (as reference), or one for attention in a single head of full width, as in Grad-ECLIP's code
}

// Traits are positions read bicubically to a size.
func (*RawAttention) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Explains: true, Ending: ResizeMinMax}
}

// Check wants a global token and known parameters.
func (r *RawAttention) Check(m Models) error {
	if err := oneOf("raw_attention", "heads", r.Heads, headsOf...); err != nil {
		return err
	}
	if m.pooled() {
		return pooledHeads("raw_attention", r.Heads, m)
	}
	return needGlobal("raw_attention", m)
}

// Read gives the attention of patches.
func (r *RawAttention) Read(s *Scene) Reading {
	return s.scored(meanHeads(s.Graph, s.lastRow(r.Heads == "one").weights))
}
