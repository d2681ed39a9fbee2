import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateRequest;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.FinishApplicationMasterRequest;
import org.apache.hadoop.yarn.api.protocolrecords.FinishApplicationMasterResponse;
import org.apache.hadoop.yarn.api.protocolrecords.GetApplicationReportRequest;
import org.apache.hadoop.yarn.api.protocolrecords.GetApplicationReportResponse;
import org.apache.hadoop.yarn.api.protocolrecords.GetClusterMetricsRequest;
import org.apache.hadoop.yarn.api.protocolrecords.GetClusterMetricsResponse;
import org.apache.hadoop.yarn.api.protocolrecords.GetNewApplicationRequest;
import org.apache.hadoop.yarn.api.protocolrecords.GetNewApplicationResponse;
import org.apache.hadoop.yarn.api.protocolrecords.GetQueueInfoRequest;
import org.apache.hadoop.yarn.api.protocolrecords.GetQueueInfoResponse;
import org.apache.hadoop.yarn.api.protocolrecords.KillApplicationRequest;
import org.apache.hadoop.yarn.api.protocolrecords.KillApplicationResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterRequest;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.api.protocolrecords.SubmitApplicationRequest;
import org.apache.hadoop.yarn.api.protocolrecords.SubmitApplicationResponse;
import org.apache.hadoop.yarn.api.records.ApplicationAttemptId;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.api.records.NMToken;
import org.apache.hadoop.yarn.api.records.QueueInfo;
import org.apache.hadoop.yarn.api.records.QueueState;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.ResourceRequest;
import org.apache.hadoop.yarn.api.records.Token;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.api.records.YarnClusterMetrics;
import org.apache.hadoop.yarn.util.Records;

/** What a client and an application master ask of a cluster. Gives every container that is asked for. */
public final class ResourceManager {
    private static final Resource LARGEST = Resource.newInstance(8192, 8);

    private final NodeManager node;
    private final ApplicationId application = ApplicationId.newInstance(System.currentTimeMillis(), 1);
    private final ApplicationAttemptId attempt = ApplicationAttemptId.newInstance(application, 1);
    private YarnApplicationState state = YarnApplicationState.NEW;
    private FinalApplicationStatus result = FinalApplicationStatus.UNDEFINED;
    private String name = "";
    private int containers;

    ResourceManager(NodeManager node) {
        this.node = node;
    }

    // What a client calls.

    public GetNewApplicationResponse getNewApplication(GetNewApplicationRequest request) {
        return GetNewApplicationResponse.newInstance(application, Resource.newInstance(1, 1), LARGEST);
    }

    public GetClusterMetricsResponse getClusterMetrics(GetClusterMetricsRequest request) {
        return GetClusterMetricsResponse.newInstance(YarnClusterMetrics.newInstance(1));
    }

    public GetQueueInfoResponse getQueueInfo(GetQueueInfoRequest request) {
        QueueInfo queue = Records.newRecord(QueueInfo.class);
        queue.setQueueName(request.getQueueName());
        queue.setQueueState(QueueState.RUNNING);
        queue.setApplications(List.of());
        queue.setChildQueues(List.of());
        return GetQueueInfoResponse.newInstance(queue);
    }

    public synchronized SubmitApplicationResponse submitApplication(SubmitApplicationRequest request)
            throws IOException {
        var submitted = request.getApplicationSubmissionContext();
        name = submitted.getApplicationName();
        state = YarnApplicationState.ACCEPTED;
        node.start(nextContainer(), submitted.getAMContainerSpec()).onExit().thenRun(this::masterEnded);
        return SubmitApplicationResponse.newInstance();
    }

    private synchronized void masterEnded() {
        if (state != YarnApplicationState.FINISHED && state != YarnApplicationState.KILLED) {
            end(YarnApplicationState.FAILED, FinalApplicationStatus.FAILED);
        }
        node.killAll();
    }

    public synchronized GetApplicationReportResponse getApplicationReport(GetApplicationReportRequest request) {
        return GetApplicationReportResponse.newInstance(ApplicationReport.newInstance(
            application, attempt, System.getProperty("user.name"), "default", name, StandInYarn.HOST, 0, null, state,
            "", "N/A", application.getClusterTimestamp(), 0, 0, result, null, "N/A", 0, "SPARK", null));
    }

    public synchronized KillApplicationResponse forceKillApplication(KillApplicationRequest request) {
        end(YarnApplicationState.KILLED, FinalApplicationStatus.KILLED);
        node.killAll();
        return KillApplicationResponse.newInstance(true);
    }

    // What the application master calls.

    public synchronized RegisterApplicationMasterResponse registerApplicationMaster(
            RegisterApplicationMasterRequest request) {
        state = YarnApplicationState.RUNNING;
        return RegisterApplicationMasterResponse.newInstance(
            Resource.newInstance(1, 1), LARGEST, Map.of(), ByteBuffer.allocate(0), List.of(), "default", List.of());
    }

    public synchronized AllocateResponse allocate(AllocateRequest request) {
        request.getReleaseList().forEach(node::kill);
        List<Container> given = new ArrayList<>();
        for (ResourceRequest wanted : request.getAskList()) {
            // A wish for certain hosts comes along with one for any host, which counts.
            int count = ResourceRequest.isAnyLocation(wanted.getResourceName()) ? wanted.getNumContainers() : 0;
            for (int n = 0; n < count; n++) {
                given.add(container(wanted));
            }
        }
        NMToken pass = NMToken.newInstance(node.id, token("NMToken", ""));
        return AllocateResponse.newBuilder().responseId(request.getResponseId() + 1).allocatedContainers(given)
            .completedContainersStatuses(node.ended()).nmTokens(List.of(pass)).updatedNodes(List.of()).numClusterNodes(1)
            .availableResources(LARGEST).build();
    }

    private Container container(ResourceRequest wanted) {
        ContainerId id = nextContainer();
        Container container = Container.newInstance(id, node.id, StandInYarn.HOST + ":0", wanted.getCapability(),
            wanted.getPriority(), token("ContainerToken", id.toString()));
        container.setAllocationRequestId(wanted.getAllocationRequestId());
        return container;
    }

    /** A pass that says whose it is, for a node that believes everything. */
    private Token token(String kind, String subject) {
        return Token.newInstance(subject.getBytes(), kind, new byte[0], node.id.toString());
    }

    public synchronized FinishApplicationMasterResponse finishApplicationMaster(
            FinishApplicationMasterRequest request) {
        end(YarnApplicationState.FINISHED, request.getFinalApplicationStatus());
        return FinishApplicationMasterResponse.newInstance(true);
    }

    private void end(YarnApplicationState how, FinalApplicationStatus with) {
        state = how;
        result = with;
        System.out.println("application ended: " + how + " " + with);
    }

    private ContainerId nextContainer() {
        return ContainerId.newContainerId(attempt, ++containers);
    }
}
