package reports

import (
	"image/color"
	"strings"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// named are colours of classes whose name has one: grass that is red would be read wrong. Shapes of the built-in data
// set have strong colours that none of its grounds has.
var named = map[string]color.RGBA{
	"grass": {60, 140, 50, 255}, "sand": {226, 196, 130, 255}, "water": {40, 110, 190, 255}, "bricks": {160, 74, 54,
		255},
	"wood": {126, 92, 60, 255}, "snow": {236, 240, 245, 255}, "night sky": {24, 28, 72, 255}, "sky": {135, 190, 235,
		255},
	"sea": {30, 90, 150, 255}, "road": {105, 105, 110, 255}, "tree": {34, 100, 40, 255}, "background": {0, 0, 0, 255},
	"circle": {230, 25, 75, 255}, "square": {255, 225, 25, 255}, "triangle": {245, 130, 48, 255},
	"star": {145, 30, 180, 255}, "ring": {240, 50, 230, 255}, "cross": {66, 212, 244, 255}, "heart": {250, 160, 170,
		255},
	"moon": {170, 255, 195, 255},
}

// paletteOf is the colours of a data set's labels: those of PASCAL VOC, which readers know, for the data sets of the
// field; elsewhere a class has the colour that its name says.
func paletteOf(d *results.Dataset) func(label int) color.RGBA {
	if d == nil || shortTitles[d.Name] != "" && !strings.HasPrefix(d.Name, "shapes") {
		return draw.VOC
	}
	return func(label int) color.RGBA {
		if label < len(d.Classes) {
			if c, ok := named[d.Classes[label]]; ok {
				return c
			}
		}
		return draw.VOC(label)
	}
}
