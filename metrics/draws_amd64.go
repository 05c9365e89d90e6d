package metrics

import "golang.org/x/sys/cpu"

// vectors says whether the function of draws_amd64.s can run here. Tests turn it off.
var vectors = cpu.X86.HasAVX2

//go:noescape
func addTermsAVX2(rows, times *lanes, at *int32, values *float64, n int)
