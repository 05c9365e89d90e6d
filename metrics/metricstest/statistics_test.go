package metricstest_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ovbench/metrics"
	"ovbench/metrics/metricstest"
)

// areaSums gives an AreaSums the shape of an Accumulator.
type areaSums struct{ *metrics.AreaSums }

func (s areaSums) Merge(other areaSums) error { return s.AreaSums.Merge(other.AreaSums) }
func (s areaSums) Scores() []metrics.Score {
	if x, ok := metrics.MMSeg.MIoU(s.Areas()); ok {
		return []metrics.Score{{Name: "mIoU", Value: x}}
	}
	return nil
}

func TestAreaSums(t *testing.T) {
	empty := must(t, metrics.NewAreaSums, 3)
	metricstest.Laws(t, func() areaSums { return areaSums{empty()} }, rapid.Custom(func(t *rapid.T) metrics.AreaRecord {
		return drawBoundary(t).Boundaries()
	}))
}

// Boundaries of records give the score of the whole records.
func TestBoundariesAreEnough(t *testing.T) {
	for _, convention := range metrics.Conventions {
		rapid.Check(t, func(t *rapid.T) {
			whole, err := metrics.NewBoundary(3)
			if err != nil {
				t.Fatal(err)
			}
			sums, err := metrics.NewAreaSums(3)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rapid.SliceOfN(rapid.Custom(drawBoundary), 0, 6).Draw(t, "records") {
				if err := whole.Add(r); err != nil {
					t.Fatal(err)
				}
				if err := sums.Add(r.Boundaries()); err != nil {
					t.Fatal(err)
				}
			}
			x, ok := convention.MIoU(sums.Areas())
			want := whole.Scores(convention)
			if ok != (len(want) == 1) || ok && want[0].Value != x {
				t.Fatalf("%s: %v, %v, want %v", convention.Name, x, ok, want)
			}
		})
	}
}

// resampled checks that a statistic of drawn images is the score of an accumulator that was given each image as often as it was
// drawn. records draws what one image contributes, with the number of the image.
func resampled[R any, A metricstest.Accumulator[R, A]](t *testing.T, empty func() A, record func(t *rapid.T, image int) []R,
	statistic func(records [][]R, score string) (metrics.Statistic, error), scores ...string) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		images := make([][]R, rapid.IntRange(1, 5).Draw(t, "images"))
		times := make([]int32, len(images))
		total := empty()
		for i := range images {
			images[i] = record(t, i)
			times[i] = rapid.Int32Range(0, 3).Draw(t, "times")
			for range times[i] {
				for _, r := range images[i] {
					if err := total.Add(r); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		want := total.Scores()
		for _, score := range scores {
			stat, err := statistic(images, score)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := stat(times)
			at := slices.IndexFunc(want, func(s metrics.Score) bool { return s.Name == score })
			if ok != (at >= 0) || ok && math.Abs(got-want[at].Value) > 1e-12 {
				t.Fatalf("%s of images drawn %v times is %v, %v; the scores are %v", score, times, got, ok, want)
			}
			if again, _ := stat(times); again != got && ok {
				t.Fatalf("%s is %v, then %v", score, got, again)
			}
			if _, ok := stat(append(times, 1)); ok {
				t.Fatalf("%s takes more images than there are", score)
			}
		}
	})
}

func flat[R any](images [][]R) []R { return slices.Concat(images...) }

func first[R any](images [][]R) []R {
	var out []R
	for _, r := range images {
		out = append(out, r[0])
	}
	return out
}

const statisticClasses = 3

func TestExplainStatistics(t *testing.T) {
	resampled(t, must(t, metrics.NewExplainability, statisticClasses), func(t *rapid.T, image int) []metrics.ExplainRecord {
		var out []metrics.ExplainRecord
		for class := range rapid.IntRange(0, statisticClasses).Draw(t, "classes") {
			score, mask := drawMap(t)
			r, err := metrics.Explain(score, mask, image, class)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}, func(images [][]metrics.ExplainRecord, score string) (metrics.Statistic, error) {
		if score == "fg-mIoU@other-half" {
			return metrics.OtherHalfStatistic(flat(images), len(images), statisticClasses, func(image int) bool { return image%2 == 1 })
		}
		return metrics.ExplainStatistic(flat(images), len(images), statisticClasses, score)
	}, "fg-mIoU@other-half", "fg-mIoU", "fg-mIoU@0.5", "fg-mIoU@otsu", "PxAP", "mSC", "mSC-pairs")
}

func TestPointingStatistics(t *testing.T) {
	resampled(t, must(t, metrics.NewPointing, statisticClasses), func(t *rapid.T, image int) []metrics.PointRecord {
		var out []metrics.PointRecord
		for class := range rapid.IntRange(0, statisticClasses).Draw(t, "classes") {
			outcome := rapid.SampledFrom([]metrics.Outcome{metrics.Hit, metrics.Miss, metrics.Skipped}).Draw(t, "outcome")
			out = append(out, metrics.PointRecord{Image: image, Class: class, Outcome: outcome})
		}
		return out
	}, func(images [][]metrics.PointRecord, score string) (metrics.Statistic, error) {
		return metrics.PointingStatisticOf(flat(images), len(images), statisticClasses, score)
	}, "pointing", "pointing-seen", "pointing-micro")
}

func TestEnergyStatistics(t *testing.T) {
	resampled(t, func() *metrics.Energy { return new(metrics.Energy) }, func(t *rapid.T, image int) []metrics.EnergyRecord {
		var out []metrics.EnergyRecord
		for class := range rapid.IntRange(0, statisticClasses).Draw(t, "classes") {
			score, mask := drawMap(t)
			r, err := metrics.EnergyAt(score, mask, image, class)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}, func(images [][]metrics.EnergyRecord, score string) (metrics.Statistic, error) {
		return metrics.EnergyStatistic(flat(images), len(images), statisticClasses, score)
	}, "energy", "energy-class")
}

func TestImageNetSegmentationStatistics(t *testing.T) {
	resampled(t, func() *metrics.ImageNetSegmentation { return new(metrics.ImageNetSegmentation) }, func(t *rapid.T, image int) []metrics.ImageNetSegmentationRecord {
		score, mask := drawMap(t)
		r, err := metrics.ImageNetSegmentationAt(score, mask, image)
		if err != nil {
			t.Fatal(err)
		}
		return []metrics.ImageNetSegmentationRecord{r}
	}, func(images [][]metrics.ImageNetSegmentationRecord, score string) (metrics.Statistic, error) {
		return metrics.ImageNetSegmentationStatistic(flat(images), len(images), score)
	}, "mIoU", "pixAcc", "mAP", "mF1")
}

func TestCityscapesStatistics(t *testing.T) {
	resampled(t, metrics.NewCityscapes, func(t *rapid.T, _ int) []metrics.CityscapesRecord {
		whole := func(r metrics.CityscapesRecord) bool { return r.Weighted }
		return []metrics.CityscapesRecord{rapid.Custom(drawCityscapes).Filter(whole).Draw(t, "record")}
	}, func(images [][]metrics.CityscapesRecord, score string) (metrics.Statistic, error) {
		return metrics.CityscapesStatistic(first(images), score)
	}, "mIoU", "iIoU", "mIoU_category", "iIoU_category")
}

func TestTagsStatistics(t *testing.T) {
	for _, rule := range metrics.TagRules {
		resampled(t, func() *metrics.Tags {
			tags, err := metrics.NewTags(3, rule)
			if err != nil {
				t.Fatal(err)
			}
			return tags
		}, func(t *rapid.T, _ int) []metrics.TagRecord {
			scores, truth := drawRow(t)
			r, err := metrics.TopK(scores, truth, 2, math.Inf(-1), metrics.DifficultSkip)
			if err != nil {
				t.Fatal(err)
			}
			return []metrics.TagRecord{r}
		}, func(images [][]metrics.TagRecord, score string) (metrics.Statistic, error) {
			return metrics.TagsStatistic(first(images), 3, rule, score)
		}, "CP", "CR", "CF1", "OP", "OR", "OF1")
	}
}
