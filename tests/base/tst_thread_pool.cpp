#include <QTest>
#include <atomic>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "base/thread_pool.h"

using namespace espalier;

class TestThreadPool : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void visits_every_index_once_data() {
        QTest::addColumn<int>("threads");
        QTest::addColumn<int>("count");
        QTest::addColumn<int>("chunk");
        for (const int threads : {1, 2, 5}) {
            for (const int count : {0, 1, 7, 64, 1000}) {
                for (const int chunk : {0, 1, 3, 64, 5000}) {
                    QTest::addRow("%d threads, %d by %d", threads, count, chunk)
                        << threads << count << chunk;
                }
            }
        }
    }

    void visits_every_index_once() {
        QFETCH(int, threads);
        QFETCH(int, count);
        QFETCH(int, chunk);
        ThreadPool pool(static_cast<std::size_t>(threads));
        QCOMPARE(pool.num_threads(), static_cast<std::size_t>(threads));
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
        pool.parallel_for(visits.size(), static_cast<std::size_t>(chunk),
                          [&](std::size_t begin, std::size_t end) {
                              for (std::size_t i = begin; i < end; ++i) ++visits[i];
                          });
        for (const auto& visit : visits) QCOMPARE(visit.load(), 1);
    }

    /// Sums of floats depend on how they are grouped; the groups must not depend on the threads.
    void results_do_not_depend_on_the_number_of_threads() {
        constexpr std::size_t kCount = 10'000;
        constexpr std::size_t kChunk = 37;
        const auto sums = [&](std::size_t threads) {
            ThreadPool pool(threads);
            std::vector<float> parts((kCount + kChunk - 1) / kChunk);
            pool.parallel_for(kCount, kChunk, [&](std::size_t begin, std::size_t end) {
                float sum = 0;
                for (std::size_t i = begin; i < end; ++i) sum += std::sin(static_cast<float>(i));
                parts[begin / kChunk] = sum;
            });
            return parts;
        };
        const auto expected = sums(1);
        for (const std::size_t threads : {2U, 3U, 8U}) QVERIFY(sums(threads) == expected);
    }

    void many_short_loops_in_a_row() {
        ThreadPool pool(3);
        std::atomic<std::size_t> total{0};
        for (int round = 0; round < 5'000; ++round) {
            pool.parallel_for(8, 1,
                              [&](std::size_t begin, std::size_t end) { total += end - begin; });
        }
        QCOMPARE(total.load(), std::size_t{40'000});
    }

    void an_exception_reaches_the_caller_and_the_pool_lives_on() {
        ThreadPool pool(2);
        for (int round = 0; round < 20; ++round) {
            QVERIFY_THROWS_EXCEPTION(std::runtime_error,
                                     pool.parallel_for(100, 1, [](std::size_t begin, std::size_t) {
                                         if (begin == 42) throw std::runtime_error("stop");
                                     }));
        }
        std::atomic<int> visits{0};
        pool.parallel_for(10, 1, [&](std::size_t, std::size_t) { ++visits; });
        QCOMPARE(visits.load(), 10);
    }

    void a_default_pool_has_a_thread_for_each_core() {
        QVERIFY(num_physical_cores() >= 1);
        QCOMPARE(ThreadPool().num_threads(), num_physical_cores());
    }
};

QTEST_APPLESS_MAIN(TestThreadPool)
#include "tst_thread_pool.moc"
