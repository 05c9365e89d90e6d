package metrics

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// exactSignFlips is the number of differences up to which all sign patterns are tried.
const exactSignFlips = 20

// SignFlip is the two-sided permutation test of paired differences, one per image: were the methods
// alike, each difference could as well have the other sign. p is the share of sign patterns whose sum
// is at least as far from 0 as the one seen: of all 2^N patterns for N up to 20 (exact is true), else
// of flips random ones, as (count+1)/(flips+1). Sums that differ by rounding alone, within 1e-12 of
// the sum of magnitudes, count as equal. The same seed gives the same p.
func SignFlip(diffs []float64, flips int, seed uint64) (p float64, exact bool, err error) {
	if err := checkDifferences(diffs); err != nil {
		return 0, false, err
	}
	sum, magnitude := 0.0, 0.0
	for _, d := range diffs {
		sum += d
		magnitude += math.Abs(d)
	}
	bound := math.Abs(sum) - 1e-12*magnitude
	if len(diffs) <= exactSignFlips {
		return signFlipAll(diffs, bound), true, nil
	}
	if flips < 1 {
		return 0, false, fmt.Errorf("%d random sign patterns", flips)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	count := 0
	for range flips {
		flipped := 0.0
		for i := 0; i < len(diffs); i += 64 {
			signs := rng.Uint64()
			for _, d := range diffs[i:min(i+64, len(diffs))] {
				flipped += math.Float64frombits(math.Float64bits(d) ^ signs&(1<<63))
				signs <<= 1
			}
		}
		if math.Abs(flipped) >= bound {
			count++
		}
	}
	return float64(count+1) / float64(flips+1), false, nil
}

// signFlipAll is the share of all sign patterns whose sum reaches bound. Each sum is one of the first
// half of the differences plus one of the second.
func signFlipAll(diffs []float64, bound float64) float64 {
	sums := func(diffs []float64) []float64 {
		out := []float64{0}
		for _, d := range diffs {
			for _, s := range slices.Clone(out) {
				out = append(out, s-d)
			}
			for i := range len(out) / 2 {
				out[i] += d
			}
		}
		return out
	}
	a, b := sums(diffs[:len(diffs)/2]), sums(diffs[len(diffs)/2:])
	count := 0
	for _, x := range a {
		for _, y := range b {
			if math.Abs(x+y) >= bound {
				count++
			}
		}
	}
	return float64(count) / float64(len(a)*len(b))
}

func checkDifferences(diffs []float64) error {
	if len(diffs) == 0 {
		return fmt.Errorf("no differences to test")
	}
	for i, d := range diffs {
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return fmt.Errorf("difference %d is %v", i, d)
		}
	}
	return nil
}

// McNemar is the exact two-sided test of two methods that hit or miss the same events, such as those
// of the pointing game: onlyA events were hit by the first alone, onlyB by the second alone. Were they
// alike, each of these would be a fair coin: p = min(1, 2 P(X <= the smaller)). Q. McNemar,
// Psychometrika 12, 1947. Events of one image depend on each other; resample images where several
// classes of an image are judged.
func McNemar(onlyA, onlyB int) (float64, error) {
	if onlyA < 0 || onlyB < 0 || onlyA > maxPixels || onlyB > maxPixels {
		return 0, fmt.Errorf("%d and %d events", onlyA, onlyB)
	}
	n := onlyA + onlyB
	if onlyA == onlyB {
		return 1, nil
	}
	return min(1, 2*distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(onlyA, onlyB)))), nil
}

// Holm adjusts p-values of several comparisons so that the chance of any false alarm stays bounded:
// S. Holm, Scandinavian Journal of Statistics 6, 1979. The i-th smallest of m becomes the largest of
// (m-j+1) p_j over j <= i, capped at 1. The result is in the order of p.
func Holm(p []float64) ([]float64, error) {
	rank := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("p-value %d is %v", i, v)
		}
		rank[i] = i
	}
	slices.SortStableFunc(rank, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	out := make([]float64, len(p))
	highest := 0.0
	for i, at := range rank {
		highest = max(highest, min(1, float64(len(p)-i)*p[at]))
		out[at] = highest
	}
	return out, nil
}
