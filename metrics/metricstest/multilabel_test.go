package metricstest_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"ovbench/metrics"
	"ovbench/metrics/metricstest"
)

// drawRow draws scores with ties, and tags, of three classes.
func drawRow(t *rapid.T) ([]float64, []metrics.Tag) {
	scores := rapid.SliceOfN(rapid.SampledFrom([]float64{-1, 0, 0.25, 0.5, 1}), 3, 3).Draw(t, "scores")
	tags := []metrics.Tag{metrics.TagAbsent, metrics.TagPresent, metrics.TagDifficult}
	return scores, rapid.SliceOfN(rapid.SampledFrom(tags), 3, 3).Draw(t, "truth")
}

func TestMultiLabel(t *testing.T) {
	for _, rule := range metrics.APRules {
		for _, d := range []metrics.DifficultRule{metrics.DifficultSkip, metrics.DifficultNegative, metrics.DifficultPositive} {
			t.Run(rule.Name+"/"+string(d), func(t *testing.T) {
				metricstest.Laws(t, func() *metrics.MultiLabel {
					m, err := metrics.NewMultiLabel(3, rule, d)
					if err != nil {
						t.Fatal(err)
					}
					return m
				}, rapid.Custom(func(t *rapid.T) metrics.MultiLabelRecord {
					scores, truth := drawRow(t)
					return metrics.MultiLabelRecord{Image: distinct(t), Scores: scores, Truth: truth}
				}))
			})
		}
	}
}

// images counts those drawn by this package.
var images int

// distinct is a number that was not given before, smaller or larger than all of them.
func distinct(t *rapid.T) int {
	images++
	if rapid.Bool().Draw(t, "early") {
		return -images
	}
	return images
}

func TestTags(t *testing.T) {
	for _, rule := range metrics.TagRules {
		t.Run(rule.Name, func(t *testing.T) {
			metricstest.Laws(t, func() *metrics.Tags {
				tags, err := metrics.NewTags(3, rule)
				if err != nil {
					t.Fatal(err)
				}
				return tags
			}, rapid.Custom(func(t *rapid.T) metrics.TagRecord {
				scores, truth := drawRow(t)
				d := rapid.SampledFrom([]metrics.DifficultRule{metrics.DifficultSkip, metrics.DifficultNegative, metrics.DifficultPositive}).Draw(t, "difficult")
				r, err := metrics.AtLeast(scores, truth, 0.5, d)
				if rapid.Bool().Draw(t, "top") {
					r, err = metrics.TopK(scores, truth, 2, math.Inf(-1), d)
				}
				if err != nil {
					t.Fatal(err)
				}
				return r
			}))
		})
	}
}
