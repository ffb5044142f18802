package main

// measures are all of them, in the order in which they are taken.
var measures = []measure{
	eventsMeasure, bulkMeasure, movesMeasure, migrationMeasure, restartMeasure, kernelMeasure, growthMeasure, offeredMeasure,
}
