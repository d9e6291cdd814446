#pragma once

namespace espalier::ui {

class BackgroundWorker;
class PlaygroundWorker;
class RunController;

/// What a page may talk to. All outlive the window.
struct Services {
    BackgroundWorker& worker;
    RunController& runs;
    PlaygroundWorker& playground;
};

}  // namespace espalier::ui
