#pragma once

#include <QTest>

#include "base/json.h"

/// QCOMPARE for JSON, which Qt cannot print, being convertible to everything.
#define COMPARE_JSON(actual, expected)                                              \
    do {                                                                            \
        const espalier::Json left = (actual);                                       \
        const espalier::Json right = (expected);                                    \
        QVERIFY2(left == right, (left.dump() + " is not " + right.dump()).c_str()); \
    } while (false)
