package metricstest_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"ovbench/metrics"
	"ovbench/metrics/metricstest"
)

const classes = 3

// each runs a test for every name.
func each(t *testing.T, names []string, law func(t *testing.T, name string)) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) { law(t, name) })
	}
}

// one is what an image contributes that has one record.
func one[R any](t *rapid.T, r R, err error) []R {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return []R{r}
}

// some draws a record for some of the classes.
func some[R any](t *rapid.T, draw func(class int) (R, error)) (out []R) {
	t.Helper()
	for class := range rapid.IntRange(0, classes).Draw(t, "classes") {
		r, err := draw(class)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// drawLabels draws a truth of three classes with void, and a prediction of four.
func drawLabels(t *rapid.T, pixels int) (truth, pred []uint16) {
	truth = rapid.SliceOfN(rapid.SampledFrom([]uint16{0, 1, 2, 255}), pixels, pixels).Draw(t, "truth")
	return truth, rapid.SliceOfN(rapid.Uint16Range(0, classes+1), pixels, pixels).Draw(t, "pred")
}

func TestAreas(t *testing.T) {
	for _, v := range metrics.Conventions {
		for name, score := range map[string]func(metrics.Areas) (float64, bool){"mIoU": v.MIoU, "mAcc": v.MAcc,
			"aAcc": metrics.AAcc, "FWIoU": v.FWIoU, "mDice": metrics.MDice} {
			t.Run(v.Name+"/"+name, func(t *testing.T) {
				metricstest.Laws(t, metricstest.Family[metrics.Sparse]{
					Draw: func(t *rapid.T) []metrics.Sparse {
						truth, pred := drawLabels(t, rapid.IntRange(0, 9).Draw(t, "pixels"))
						s, err := metrics.Count(truth, pred, classes, 255)
						return one(t, s, err)
					},
					Statistic: func(records []metrics.Sparse, _ int) (metrics.Statistic, error) {
						pool, err := metrics.NewAreaPool(classes)
						for _, r := range records {
							areas, fault := r.Areas(classes)
							if err = errors.Join(err, fault, pool.Add(areas)); err != nil {
								return nil, err
							}
						}
						return pool.Statistic(score), err
					},
				})
			})
		}
	}
}

func drawBoundary(t *rapid.T) []metrics.BoundaryRecord {
	w, h := rapid.IntRange(1, 5).Draw(t, "width"), rapid.IntRange(1, 5).Draw(t, "height")
	truth, pred := drawLabels(t, w*h)
	r, err := metrics.CountBoundary(truth, pred, w, h, classes, 255, metrics.DilationRatio)
	return one(t, r, err)
}

func TestImageNetS(t *testing.T) {
	each(t, metrics.ImageNetSScores, func(t *testing.T, name string) {
		metricstest.Laws(t, metricstest.Family[metrics.BoundaryRecord]{Draw: drawBoundary,
			Statistic: func(records []metrics.BoundaryRecord, _ int) (metrics.Statistic, error) {
				return metrics.ImageNetSStatistic(records, classes, name)
			}})
	})
}

// drawCityscapes draws a record with instances.
func drawCityscapes(t *rapid.T) []metrics.CityscapesRecord {
	label := rapid.SampledFrom([]uint16{0, 7, 8, 9, 23, 24, 25, 26, 29, 33})
	truth := rapid.SliceOfN(label, 0, 12).Draw(t, "truth")
	pred := rapid.SliceOfN(label, len(truth), len(truth)).Draw(t, "pred")
	instances := make([]uint16, len(truth))
	for i, v := range truth {
		instances[i] = v
		if number := rapid.Uint16Range(0, 3).Draw(t, "instance"); v >= 24 && number > 0 {
			instances[i] = v*1000 + number
		}
	}
	r, err := metrics.CountCityscapes(truth, pred, instances)
	return one(t, r, err)
}

func TestCityscapes(t *testing.T) {
	each(t, []string{"mIoU", "iIoU", "mIoU_category", "iIoU_category"}, func(t *testing.T, name string) {
		metricstest.Laws(t, metricstest.Family[metrics.CityscapesRecord]{Draw: drawCityscapes,
			Statistic: func(records []metrics.CityscapesRecord, _ int) (metrics.Statistic, error) {
				return metrics.CityscapesStatistic(records, name)
			}})
	})
}

// drawMap draws a map and a mask that has its class.
func drawMap(t *rapid.T) (score []float32, mask []uint8) {
	value := rapid.OneOf(rapid.Float32Range(0, 1), rapid.SampledFrom([]float32{0, 0.5, 1}))
	mask = append(rapid.SliceOfN(rapid.SampledFrom([]uint8{metrics.Outside, metrics.Inside, metrics.Void}), 0, 12).Draw(t,
		"mask"), metrics.Inside)
	return rapid.SliceOfN(value, len(mask), len(mask)).Draw(t, "map"), mask
}

func TestExplain(t *testing.T) {
	family := metricstest.Family[metrics.ExplainRecord]{
		Low: -1,
		Draw: func(t *rapid.T) []metrics.ExplainRecord {
			return some(t, func(class int) (metrics.ExplainRecord, error) {
				score, mask := drawMap(t)
				return metrics.Explain(score, mask, 0, class)
			})
		},
		Number: func(r metrics.ExplainRecord, image int) metrics.ExplainRecord { r.Image = image; return r },
	}
	each(t, []string{"fg-mIoU", "fg-mIoU@0.5", "fg-mIoU@otsu", "fg-mIoU-image", "PxAP", "mSC", "mSC-pairs"},
		func(t *testing.T, name string) {
			family.Statistic = func(records []metrics.ExplainRecord, images int) (metrics.Statistic, error) {
				return metrics.ExplainStatistic(records, images, classes, name)
			}
			metricstest.Laws(t, family)
		})
	family.Ordered = true
	family.Statistic = func(records []metrics.ExplainRecord, images int) (metrics.Statistic, error) {
		return metrics.OtherHalfStatistic(records, images, classes, func(image int) bool { return image%2 == 1 })
	}
	t.Run("other half", func(t *testing.T) { metricstest.Laws(t, family) })
}

func TestPointing(t *testing.T) {
	each(t, []string{"pointing", "pointing-seen", "pointing-micro"}, func(t *testing.T, name string) {
		metricstest.Laws(t, metricstest.Family[metrics.PointRecord]{
			Draw: func(t *rapid.T) []metrics.PointRecord {
				return some(t, func(class int) (metrics.PointRecord, error) {
					outcome := rapid.SampledFrom([]metrics.Outcome{metrics.Hit, metrics.Miss, metrics.Skipped}).Draw(t, "outcome")
					return metrics.PointRecord{Class: class, Outcome: outcome}, nil
				})
			},
			Number: func(r metrics.PointRecord, image int) metrics.PointRecord { r.Image = image; return r },
			Statistic: func(records []metrics.PointRecord, images int) (metrics.Statistic, error) {
				return metrics.PointingStatistic(records, images, classes, name)
			},
		})
	})
}

func TestEnergy(t *testing.T) {
	each(t, []string{"energy", "energy-class"}, func(t *testing.T, name string) {
		metricstest.Laws(t, metricstest.Family[metrics.EnergyRecord]{
			Draw: func(t *rapid.T) []metrics.EnergyRecord {
				return some(t, func(class int) (metrics.EnergyRecord, error) {
					score, mask := drawMap(t)
					return metrics.EnergyAt(score, mask, 0, class)
				})
			},
			Number: func(r metrics.EnergyRecord, image int) metrics.EnergyRecord { r.Image = image; return r },
			Statistic: func(records []metrics.EnergyRecord, images int) (metrics.Statistic, error) {
				return metrics.EnergyStatistic(records, images, classes, name)
			},
		})
	})
}

func TestImageNetSegmentation(t *testing.T) {
	each(t, []string{"pixAcc", "mIoU", "mAP", "mF1"}, func(t *testing.T, name string) {
		metricstest.Laws(t, metricstest.Family[metrics.ImageNetSegmentationRecord]{
			Draw: func(t *rapid.T) []metrics.ImageNetSegmentationRecord {
				score, mask := drawMap(t)
				r, err := metrics.ImageNetSegmentationAt(score, mask, 0)
				return one(t, r, err)
			},
			Number: func(r metrics.ImageNetSegmentationRecord, image int) metrics.ImageNetSegmentationRecord {
				r.Image = image
				return r
			},
			Statistic: func(records []metrics.ImageNetSegmentationRecord, images int) (metrics.Statistic, error) {
				return metrics.ImageNetSegmentationStatistic(records, images, name)
			},
		})
	})
}

// row is the scores and tags of an image.
type row struct {
	scores []float64
	tags   []metrics.Tag
}

func drawRow(t *rapid.T) []row {
	scores := rapid.SliceOfN(rapid.SampledFrom([]float64{-1, 0, 0.25, 0.5, 1}), classes, classes).Draw(t, "scores")
	tag := rapid.SampledFrom([]metrics.Tag{metrics.TagAbsent, metrics.TagPresent, metrics.TagDifficult})
	return []row{{scores, rapid.SliceOfN(tag, classes, classes).Draw(t, "tags")}}
}

func TestRanking(t *testing.T) {
	for _, rule := range metrics.APRules {
		for _, d := range []metrics.DifficultRule{metrics.DifficultSkip, metrics.DifficultNegative,
			metrics.DifficultPositive} {
			t.Run(rule.Name+"/"+string(d), func(t *testing.T) {
				metricstest.Laws(t, metricstest.Family[row]{
					Draw: drawRow, Ordered: rule.Name != metrics.StepAP.Name,
					Statistic: func(rows []row, images int) (metrics.Statistic, error) {
						var scores []float64
						var tags []metrics.Tag
						for _, r := range rows {
							scores, tags = append(scores, r.scores...), append(tags, r.tags...)
						}
						ranking, err := metrics.Rank(scores, tags, classes, d)
						if err != nil {
							return nil, err
						}
						return ranking.MAPStatistic(rule), nil
					},
				})
			})
		}
	}
}

func TestTags(t *testing.T) {
	each(t, metrics.TagScores, func(t *testing.T, name string) {
		metricstest.Laws(t, metricstest.Family[metrics.TagRecord]{
			Draw: func(t *rapid.T) []metrics.TagRecord {
				r := drawRow(t)[0]
				top, err := metrics.TopK(r.scores, r.tags, 2, metrics.DifficultSkip)
				return one(t, top, err)
			},
			Statistic: func(records []metrics.TagRecord, _ int) (metrics.Statistic, error) {
				return metrics.TagsStatistic(records, classes, name)
			},
		})
	})
}

func TestPrompts(t *testing.T) {
	var names []string
	for _, s := range metrics.PromptScores() {
		names = append(names, s.Name)
	}
	each(t, names, func(t *testing.T, name string) {
		metricstest.Laws(t, metricstest.Family[metrics.PromptRecord]{
			Draw: func(t *rapid.T) []metrics.PromptRecord {
				return some(t, func(class int) (metrics.PromptRecord, error) {
					const side = 3
					mask := rapid.SliceOfN(rapid.SampledFrom([]uint8{metrics.Outside, metrics.Inside, metrics.Void}), side*side,
						side*side).Draw(t, "mask")
					var points []metrics.Prompt
					for range rapid.IntRange(0, 4).Draw(t, "points") {
						points = append(points, metrics.Prompt{
							X: rapid.IntRange(0, side-1).Draw(t, "x"), Y: rapid.IntRange(0, side-1).Draw(t, "y"),
							Positive: rapid.Bool().Draw(t, "positive"),
						})
					}
					r, err := metrics.PromptsAt(points, mask, side, 0, class)
					if rapid.Bool().Draw(t, "segmented") {
						masks := &metrics.PromptMasks{Chosen: rapid.IntRange(0, 2).Draw(t, "chosen")}
						for range 3 {
							o, _ := metrics.OverlapOf(rapid.SliceOfN(rapid.Uint8Range(0, 1), len(mask), len(mask)).Draw(t, "pred"), mask)
							masks.Overlaps = append(masks.Overlaps, o)
						}
						r.Map, r.FromPoints, r.FromBox = &masks.Overlaps[0], masks, masks
					}
					return r, err
				})
			},
			Number: func(r metrics.PromptRecord, image int) metrics.PromptRecord { r.Image = image; return r },
			Statistic: func(records []metrics.PromptRecord, images int) (metrics.Statistic, error) {
				return metrics.PromptStatistic(records, images, name)
			},
		})
	})
}
