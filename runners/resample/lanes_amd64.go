package resample

import "golang.org/x/sys/cpu"

// vectors says whether the functions of lanes_amd64.s can run here. Tests turn it off.
var vectors = cpu.X86.HasAVX2

//go:noescape
func mixAVX2(dst, r0, r1, r2, r3, r4, weights *float32, n int)

//go:noescape
func lerpAVX2(dst, a, b *float32, w0, w1 float32, n int)

//go:noescape
func lerpAddAVX2(dst, a, b *float32, w0, w1 float32, n int)

//go:noescape
func weighAddAVX2(dst, src, weights *float32, n int)

//go:noescape
func stretchAVX2(dst, src *float32, taps *tap, n int)

//go:noescape
func divideAVX2(dst *float32, by *uint32, n int)

//go:noescape
func largestAVX2(top *float32, lane *int32, cells *float32, mask *uint32, n int)

//go:noescape
func sumExpAVX2(sum, top, cells *float32, mask *uint32, scale float32, n int)
