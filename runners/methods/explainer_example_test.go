package methods

import "ovbench/runners/vit"

// TokenGradient is what the tokens that the last attention reads add to a text's score, to first order,
//
//	Σ_c ∂ cos(e, t) / ∂n_kc · n_kc
//
// for patch k, where e is the class token's embedding and n are tokens behind the block's LayerNorm.
type TokenGradient struct{}

// Traits say that each text is explained by itself, what becomes of negative values, and that values of texts may be
// compared.
func (*TokenGradient) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Explains: true, Comparable: true, Ending: ReLUMinMaxResize}
}

// Check wants a vision transformer with a class token.
func (*TokenGradient) Check(m Models) error {
	_, err := needClass("token_gradient", m)
	return err
}

// Read differentiates the cosine of every explained text by the tokens: [K, B, 1+N, W], in one backward pass for all.
func (*TokenGradient) Read(s *Scene) Reading {
	row := s.lastRow(false) // the last block as the class token sees it
	by := s.Gradient(s.target(cosineTarget, row.embedding), row.norm)[0]
	sum := s.Sum(s.Mul(by, row.norm), 3)          // over channels: [K, B, 1+N, 1]
	return s.scored(s.Transpose(sum, 0, 1, 3, 2)) // a row over tokens, for every text and picture
}
